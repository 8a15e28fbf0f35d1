"""Bundles served by a real Triton: its own HTTP front, scheduler, configuration reader and Python backend."""

import contextlib
import json
import shutil
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from test_servers import AOT, ONNX, OPENVINO, load_client, read_golden


def post(url: str, body: dict) -> dict:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def read(url: str) -> dict:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.loads(answer.read())


@pytest.fixture
def served(bundled, tmp_path):
    """Copy a bundle to where the test may change it."""

    def copy(key) -> Path:
        return Path(shutil.copytree(bundled(*key), tmp_path / "bundle"))

    return copy


def test_onnx_by_the_python_backend(served, triton, ask):
    folder = served(ONNX[0])
    golden = read_golden(folder)
    with triton.serve(folder / "models", "--model-config-name=python") as url:
        done = ask(folder, "--url", url, "--golden", golden[0]["text"])
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.startswith(golden[0]["label"] + "\t")
        assert f"{len(golden)} of {len(golden)} as the artifact answers" in done.stdout

        wrong = {**golden[1], "label": "another", "logits": [one + 1 for one in golden[1]["logits"]]}
        lines = "".join(json.dumps(row) + "\n" for row in (golden[0], wrong))
        (folder / "golden.jsonl").write_text(lines, encoding="utf-8")
        done = ask(folder, "--url", url, "--golden")
        assert done.returncode == 1 and "1 of 2 as the artifact answers" in done.stdout

        check_labels_file(url, golden[0])
        check_batches(url, folder, golden)


def check_labels_file(url, row):
    """Triton's classification extension names classes by the labels file."""
    ids = {"name": "input_ids", "shape": [1, len(row["ids"])], "datatype": "INT64", "data": row["ids"]}
    asked = {"inputs": [ids], "outputs": [{"name": "logits", "parameters": {"classification": 1}}]}
    answer = post(f"{url}/v2/models/tiny/infer", asked)
    assert answer["outputs"][0]["data"][0].split(":")[2] == row["label"]


def check_batches(url, folder, golden):
    """Requests of many lengths at once: those of one length share batches, and no answer changes."""

    def answer(_):
        _, client = load_client(folder, url)
        with contextlib.closing(client):
            return max(abs(client.outputs(row["ids"]) - row["logits"]).max() for row in golden)

    with ThreadPoolExecutor(12) as pool:
        assert max(pool.map(answer, range(12))) < 1e-4
    (stats,) = read(f"{url}/v2/models/tiny/stats")["model_stats"]
    assert stats["inference_stats"]["fail"]["count"] == 0
    assert max(entry["batch_size"] for entry in stats["batch_stats"]) > 1


def test_scales_over_the_batch_are_never_shared(served, triton, ask):
    folder = served(ONNX[1])
    with triton.serve(folder / "models", "--model-config-name=python") as url:
        assert ask(folder, "--url", url, "--golden").returncode == 0
        ids = {"name": "input_ids", "shape": [2, 3], "datatype": "INT64", "data": [1, 2, 3, 4, 5, 6]}
        with pytest.raises(urllib.error.HTTPError) as refused:
            post(f"{url}/v2/models/tiny/infer", {"inputs": [ids]})
        assert b"batch-size must be <= 1" in refused.value.read()
        refused.value.close()


def test_machine_code_by_the_python_backend(served, triton, ask):
    folder = served(AOT)
    with triton.serve(folder / "models") as url:
        done = ask(folder, "--url", url, "--golden")
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_changed_file_is_not_served(served, triton):
    folder = served(ONNX[0])
    (folder / "models" / "tiny" / "1" / "calibration.json").write_text("{}")
    starting = triton.serve(folder / "models", "--model-config-name=python")
    with pytest.raises(pytest.fail.Exception, match="not what the manifest says"), starting:
        pass


@pytest.mark.parametrize("key", OPENVINO)
def test_openvino_repository_over_kserve(served, triton, ask, tmp_path, key):
    """Its own server installs from no package: its repository, by OpenVINO within Triton, and its client."""
    folder = served(key)
    settings = json.loads((folder / "client.json").read_text())
    place = tmp_path / "triton" / settings["model"]
    (place / "1").mkdir(parents=True)
    shutil.copyfile(Path(__file__).with_name("openvino_model.py"), place / "1" / "model.py")
    inputs = [
        f'input {{ name: "{name}", data_type: TYPE_INT64, dims: [ -1, -1 ] }}' for name in settings["inputs"]
    ]
    lines = [
        'backend: "python"',
        *inputs,
        'output { name: "logits", data_type: TYPE_FP32, dims: [ -1, 20 ] }',
        f'parameters {{ key: "config", value: {{ string_value: "{folder / "config.json"}" }} }}',
    ]
    (place / "config.pbtxt").write_text("\n".join(lines))
    with triton.serve(tmp_path / "triton") as url:
        done = ask(folder, "--url", url, "--golden")
        assert done.returncode == 0, done.stdout + done.stderr
