"""Model repositories against the servers' own rules, and what lies beside them."""

import ast
import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path

import build_sample
import numpy as np
import pytest

from edgekd.bundle import make_bundle
from edgekd.bundle.servers.golden import check_golden
from edgekd.compile import open_artifact
from edgekd.errors import BadInputError, MissingRuntimeError
from edgekd.serving import load
from edgekd.serving.heads import Head

ONNX = [("tiny", "onnxruntime", "fp32"), ("tiny", "onnxruntime", "int8-dynamic")]
OPENVINO = [("tiny", "openvino", "fp32"), ("static", "openvino", "fp32")]
SCORING = [("scoring", "onnxruntime", "fp32"), ("scoring-static", "openvino", "fp32")]
AOT = ("static", "aotinductor", "fp32")


def word(message, field: str) -> str:
    """Return the name of an enumeration's value."""
    values = message.DESCRIPTOR.fields_by_name[field].enum_type.values_by_number
    return values[getattr(message, field)].name


def load_client(folder: Path, url: str = "http://127.0.0.1:1"):
    spec = importlib.util.spec_from_file_location("client", folder / "client.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, module.Client(url)


def read_golden(folder: Path) -> list[dict]:
    with (folder / "golden.jsonl").open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@pytest.mark.parametrize("key", [*ONNX, AOT])
@pytest.mark.long
def test_triton_reads_every_configuration(bundled, compiled, parse_pbtxt, key):
    artifact, place = compiled(*key), next((bundled(*key) / "models").iterdir())
    paths = sorted(place.rglob("*.pbtxt"))
    assert len(paths) == (2 if artifact.runtime == "onnxruntime" else 1)
    for path in paths:
        config = parse_pbtxt(path.read_text(encoding="utf-8"))
        assert config.name == place.name
        assert (place / "1" / config.default_model_filename).is_file()
        (given,), (found,) = config.input, config.output
        assert (given.name, list(given.dims), word(given, "data_type")) == ("input_ids", [-1], "TYPE_INT64")
        assert (found.name, list(found.dims), word(found, "data_type")) == ("logits", [20], "TYPE_FP32")
        assert (place / found.label_filename).read_text(encoding="utf-8").splitlines() == artifact.manifest[
            "labels"
        ]
        (group,) = config.instance_group
        assert (word(group, "kind"), group.count) == ("KIND_CPU", 1)
        assert config.model_warmup[0].inputs["input_ids"].zero_data
        together = artifact.recipe == "fp32"
        assert (config.max_batch_size, config.HasField("dynamic_batching")) == (
            8 if together else 1,
            together,
        )
    assert parse_pbtxt((place / "config.pbtxt").read_text()).backend == key[1].replace(
        "aotinductor", "python"
    )


def test_the_message_refuses_what_it_does_not_know(parse_pbtxt):
    with pytest.raises(Exception, match="no field named"):
        parse_pbtxt('name: "x" max_batch: 8')


@pytest.mark.parametrize("key", ONNX)
def test_names_and_sizes_are_the_onnx_files_own(bundled, key):
    import onnxruntime

    path = next(bundled(*key).rglob("model.onnx"))
    session = onnxruntime.InferenceSession(path)
    assert [(one.name, one.type) for one in session.get_inputs()] == [("input_ids", "tensor(int64)")]
    assert [(one.name, one.shape[1]) for one in session.get_outputs()] == [("logits", 20)]


# What OpenVINO Model Server refuses, from the JSON schema in its src/schema.cpp and docs/parameters.md: keys
# that it does not know, and values of another type.
_KEYS = {
    "name": str,
    "base_path": str,
    "batch_size": (int, str),
    "shape": (dict, str),
    "layout": (dict, str),
    "model_version_policy": dict,
    "nireq": int,
    "target_device": str,
    "plugin_config": dict,
}


@pytest.mark.parametrize("key", OPENVINO)
def test_openvino_server_would_read_its_configuration(bundled, key):
    folder = bundled(*key)
    document = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert list(document) == ["model_config_list"]
    (entry,) = document["model_config_list"]
    assert list(entry) == ["config"]
    config = entry["config"]
    assert {"name", "base_path"} <= set(config) <= set(_KEYS)
    assert all(isinstance(value, _KEYS[name]) for name, value in config.items())
    assert all(isinstance(value, str) for value in config["plugin_config"].values())
    version = folder / config["base_path"] / "1"
    assert sorted(path.suffix for path in version.iterdir()) == [".bin", ".xml"]


@pytest.mark.parametrize("key", OPENVINO)
def test_openvino_answers_as_golden_with_the_configuration(bundled, key):
    """OpenVINO itself, opened as config.json says and asked what the client would ask."""
    import openvino as ov

    folder = bundled(*key)
    config = json.loads((folder / "config.json").read_text())["model_config_list"][0]["config"]
    xml = next((folder / config["base_path"] / "1").glob("*.xml"))
    model = ov.Core().compile_model(xml, config["target_device"], config["plugin_config"])
    assert model.get_property("INFERENCE_PRECISION_HINT") == ov.Type.f32
    _, client = load_client(folder)
    for row in read_golden(folder):
        request = client.make_request(client.tokenize(row["text"]))
        given = {
            one["name"]: np.array(one["data"], np.int64).reshape(one["shape"]) for one in request["inputs"]
        }
        assert np.abs(model(given)[0][0] - row["logits"]).max() < 1e-4
    assert len(request["inputs"]) == (2 if key[0] == "tiny" else 1)


@pytest.mark.parametrize("key", [*ONNX, *OPENVINO])
def test_golden_is_what_the_artifact_answers(bundled, compiled, key):
    folder, model = bundled(*key), load(compiled(*key).path)
    golden = read_golden(folder)
    assert 30 <= len(golden) <= 50 and len({row["text"] for row in golden}) == len(golden)
    texts = [row["text"] for row in golden]
    assert np.array_equal(np.array([row["logits"] for row in golden], np.float32), model.outputs(texts))
    assert [row["label"] for row in golden] == [model(text).label for text in texts]


@pytest.mark.parametrize("key", [ONNX[0], OPENVINO[1]])
def test_client_reads_texts_and_answers_as_the_artifact_does(bundled, compiled, key, texts):
    folder, model = bundled(*key), load(compiled(*key).path)
    module, client = load_client(folder)
    for text in texts:
        assert client.tokenize(text) == (model.tokenize(text) or [0])
    row = read_golden(folder)[0]
    response = {"outputs": [{"name": "logits", "shape": [1, 20], "data": row["logits"]}]}
    assert np.array_equal(client.read_response(response), np.array(row["logits"], np.float32))
    for wrong in ({}, {"outputs": []}, {"outputs": [{"name": "logits", "shape": [1, 3], "data": [1, 2, 3]}]}):
        with pytest.raises(module.ClientError, match="expected outputs of one text"):
            client.read_response(wrong)


def test_client_imports_only_what_it_says(bundled):
    tree = ast.parse((bundled(*ONNX[0]) / "client.py").read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    tops = {name.partition(".")[0] for name in names}
    assert tops - set(sys.stdlib_module_names) == {"numpy", "tokenizers"}


def test_client_without_a_server_says_so_in_one_line(bundled, ask):
    done = ask(bundled(*ONNX[0]), "--url", "http://127.0.0.1:1", "where is my order")
    assert done.returncode == 1
    assert done.stderr.startswith("client: http://127.0.0.1:1: no answer") and done.stderr.count("\n") == 1
    done = ask(bundled(*ONNX[0]), "--url", "here:8000", "where is my order")
    assert (done.returncode, done.stderr) == (1, "client: here:8000: expected http://HOST:PORT\n")


@pytest.mark.parametrize("key", [ONNX[1], OPENVINO[0]])
def test_readme_shows_a_start_and_an_exchange(bundled, key):
    folder = bundled(*key)
    readme = (folder / "README.md").read_text(encoding="utf-8")
    start = "ovms --config_path config.json" if key[1] == "openvino" else "tritonserver --model-repository="
    assert start in readme
    body = readme.partition(" -d '")[2].partition("'\n")[0]
    answer = json.loads(readme.partition("```json\n")[2].partition("\n```")[0])
    row = read_golden(folder)[0]
    assert json.loads(body)["inputs"][0]["data"] == row["ids"]
    assert answer["outputs"][0]["data"] == row["logits"]
    assert ("over the whole batch" in " ".join(readme.split())) == (key[2] == "int8-dynamic")


def test_same_input_same_bytes_and_no_texts_no_golden(compiled, target_for, tmp_path, texts):
    artifact = compiled(*ONNX[0])
    target = target_for(artifact)
    twice = [make_bundle(artifact, target, tmp_path / name, texts, "card\n").digest for name in "ab"]
    assert twice[0] == twice[1]
    without = make_bundle(artifact, target, tmp_path / "c", [], "card\n")
    assert "golden.jsonl" not in without.files
    config = (without.path / "models" / "tiny" / "config.pbtxt").read_text()
    assert "max_batch_size: 1\n" in config and "dynamic_batching" not in config


def test_instances_share_the_targets_processors(compiled, target_for, tmp_path, parse_pbtxt):
    artifact = compiled(*ONNX[0])
    hardware = {"arch": "x86_64", "vcpus": 8, "memory_mib": 8192}
    bundle = make_bundle(
        artifact, target_for(artifact, hardware=hardware, threads=2), tmp_path / "b", [], "card\n"
    )
    config = parse_pbtxt((bundle.path / "models" / "tiny" / "config.pbtxt").read_text())
    assert config.instance_group[0].count == 4
    assert config.parameters["intra_op_thread_count"].string_value == "2"


def test_a_label_of_two_lines_is_refused(compiled, target_for, tmp_path):
    import shutil

    from edgekd.compile.artifact import build_artifact

    source = compiled(*ONNX[0])
    shutil.copytree(source.path, tmp_path / "artifact")
    fields = {
        key: value
        for key, value in source.manifest.items()
        if key not in ("format_version", "files", "sha256")
    }
    labels = ["two\nlines", *source.manifest["labels"][1:]]
    artifact = build_artifact(tmp_path / "artifact", {**fields, "labels": labels})
    with pytest.raises(BadInputError, match="is not one line"):
        make_bundle(artifact, target_for(artifact), tmp_path / "b", [], "card\n")
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("key", SCORING)
def test_a_client_makes_a_score_of_the_one_logit(bundled, compiled, key, texts):
    folder, model = bundled(*key), load(compiled(*key).path)
    assert not list(folder.rglob("labels.txt")) and not list(folder.rglob("calibrate.py"))
    module, client = load_client(folder)
    for row in read_golden(folder):
        assert set(row) == {"text", "ids", "logits", "score"}
        response = {"outputs": [{"name": "logits", "shape": [1, 1], "data": row["logits"]}]}
        found = client.decide(row["text"], client.read_response(response))
        assert found._fields == ("score",) and found.score == row["score"] == model(row["text"]).score
    with pytest.raises(module.ClientError, match="expected outputs of one text"):
        client.read_response({"outputs": [{"name": "logits", "shape": [1, 2], "data": [1, 2]}]})
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert "1 / (1 + exp(-number))" in readme and "label" not in readme


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_a_client_makes_labels_that_apply_of_the_logits(graphs, target_for, texts, tmp_path, runtime):
    labels = graphs["static"].head.labels
    graph = replace(graphs["static"], head=Head("tags", labels))
    artifact = build_sample.compile_sample(graph, runtime, "fp32", tmp_path / "made", fit_temperature=None)
    folder = make_bundle(artifact, target_for(artifact), tmp_path / "bundle", texts, "card\n").path
    assert (folder / "labels.txt").read_text(encoding="utf-8").splitlines() == list(labels)
    model, (module, client) = load(artifact.path), load_client(folder)
    golden = read_golden(folder)
    assert max(len(row["labels"]) for row in golden) > 1
    for row in golden:
        assert set(row) == {"text", "ids", "logits", "labels"}
        found = client.decide(row["text"], np.array(row["logits"], np.float32))
        assert found == model(row["text"]) and found.labels == row["labels"]
    readme = " ".join((folder / "README.md").read_text(encoding="utf-8").split())
    assert "every label whose logit is 0 or more" in readme and "softmax" not in readme
    assert json.loads(module._show(found))["labels"] == row["labels"]


def test_golden_labels_that_rounding_decides_are_passed_over(tmp_path):
    class Served:
        labels = ("late", "angry")

        def outputs(self, ids):
            return np.array(ids, np.float32) / 1000

        def tokenize(self, text):
            return [5, -900] if text == "near" else [5, 900]

        def decide(self, text, outputs, student_only):
            return [name for name, one in zip(self.labels, outputs, strict=True) if one >= 0], {}

    rows = [
        {"text": "near", "ids": [5, -900], "logits": [-0.001, -0.9], "labels": []},
        {"text": "far", "ids": [5, 900], "logits": [-0.001, 0.899], "labels": []},
    ]
    (tmp_path / "client.json").write_text("{}")
    (tmp_path / "golden.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert check_golden(Served(), tmp_path, 0.01) == 1


@pytest.mark.parametrize("key", SCORING[:1])
def test_triton_reads_the_configuration_of_a_score(bundled, parse_pbtxt, key):
    path = next((bundled(*key) / "models").glob("*/config.pbtxt"))
    (found,) = parse_pbtxt(path.read_text(encoding="utf-8")).output
    assert (found.name, list(found.dims), found.label_filename) == ("logits", [1], "")


def test_a_head_that_a_bundle_does_not_answer_for_is_refused_before_anything_is_written(
    static_artifact, target_for, tmp_path
):
    manifest = {**static_artifact.manifest, "head": "tags", "runtime": "onnxruntime"}
    artifact = replace(static_artifact, manifest=manifest, runtime="onnxruntime")
    said = "head classify or score or rank; .* has the head tags, .*: take the bundle lambda-zip or triton"
    with pytest.raises(BadInputError, match=said) as caught:
        make_bundle(artifact, target_for(artifact, bundle="mobile"), tmp_path / "b", ["a text"], "card\n")
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


def test_an_artifact_that_does_not_run_here_is_not_bundled(compiled, target_for, tmp_path):
    import shutil

    from edgekd.compile.artifact import build_artifact

    source = compiled(*ONNX[0])
    shutil.copytree(source.path, tmp_path / "artifact")
    (tmp_path / "artifact" / "model.onnx").write_bytes(b"no model")
    fields = {
        key: value
        for key, value in source.manifest.items()
        if key not in ("format_version", "files", "sha256")
    }
    build_artifact(tmp_path / "artifact", fields)
    artifact = open_artifact(tmp_path / "artifact")
    with pytest.raises(MissingRuntimeError, match="cannot open it"):
        make_bundle(artifact, target_for(artifact), tmp_path / "b", [], "card\n")
