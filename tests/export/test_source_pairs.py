"""Cross-encoders from elsewhere: pairs are read, cut and scored as by the source, token types and all."""

import json

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from tiny_models import change_json, write_model, write_tokenizer
from tiny_pairs import PAIRS, REQUESTS, write_pair_file

from edgekd.distill.weights import load_tokenizer
from edgekd.errors import ConfigError, ParityError
from edgekd.export.foreign import adopt_model
from edgekd.export.onnx_file import read_onnx
from edgekd.export.source_tokenizer import open_source_tokenizer
from edgekd.serving.heads import Head, open_reader
from edgekd.serving.request import join_request

ONE = {"id2label": {0: "LABEL_0"}, "label2id": {"LABEL_0": 0}}


def score_with(graph, query, candidate):
    """The score of a pair by the graph that was made, read as the artifact will read it."""
    (ids,) = open_reader(graph.tokenizer, graph.max_tokens, graph.head)(join_request(query, [candidate]))
    return ids, float(
        ort.InferenceSession(str(graph.path)).run(None, {"input_ids": np.array([ids])})[0][0, 0]
    )


@pytest.mark.parametrize("alone", [False, True])
def test_a_file_is_given_token_types(tmp_path, alone):
    source, made = write_pair_file(tmp_path / "there", alone=alone), tmp_path / "made"
    made.mkdir()
    graph = adopt_model(source, made, REQUESTS, "rank")
    assert graph.head == Head("rank", cut="longest") and graph.max_tokens in (32, 512)
    assert [value.name for value in onnx.load(graph.path).graph.input] == ["input_ids"]
    whole, read = (
        ort.InferenceSession(str(source)),
        open_source_tokenizer(source.parent, alone=alone).read_pair,
    )
    cut = 0
    for query, candidate in PAIRS:
        theirs = read(query, candidate, graph.max_tokens)
        ids, score = score_with(graph, query, candidate)
        assert ids == list(theirs["input_ids"])
        cut += len(ids) == graph.max_tokens
        fed = {name: np.array([values]) for name, values in theirs.items()}
        assert score == pytest.approx(float(whole.run(None, fed)[0][0, 0]), abs=1e-5)
    assert (cut >= 4) != alone
    ids, score = score_with(graph, "where is", "my order")
    assert score != pytest.approx(score_with(graph, "where is my", "order")[1], abs=1e-2)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["Bert", "DistilBert"])
def test_a_folder_ranks_as_its_source(tmp_path, kind):
    import torch

    folder, made = tmp_path / "reranker", tmp_path / "made"
    made.mkdir()
    write_tokenizer(folder)
    model = write_model(folder, kind, **ONE, problem_type="regression")
    graph = adopt_model(folder, made, REQUESTS, "rank")
    assert graph.head == Head("rank", cut="longest") and graph.max_tokens == 32
    tokenizer = load_tokenizer(str(folder))
    for query, candidate in PAIRS:
        fed = tokenizer([query], [candidate], truncation=True, max_length=32, return_tensors="pt")
        if kind == "DistilBert":
            fed.pop("token_type_ids", None)
        with torch.inference_mode():
            wanted = float(model(**fed).logits[0, 0])
        ids, score = score_with(graph, query, candidate)
        assert ids == fed["input_ids"][0].tolist() and score == pytest.approx(wanted, abs=1e-4)


def other_types(folder):
    path = folder / "tokenizer.json"
    document = json.loads(path.read_text())
    document["post_processor"]["pair"][-1]["SpecialToken"]["type_id"] = 0
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda folder: change_json(folder / "tokenizer_config.json", truncation_side="left"),
            "truncation_side: left",
        ),
        (other_types, "token types .* expected 0 up to the first token between both"),
        (
            lambda folder: (folder / "config.json").write_text(
                json.dumps({"id2label": {"0": "a", "1": "b"}})
            ),
            "2 labels",
        ),
    ],
)
def test_what_reads_pairs_otherwise_is_one_line(tmp_path, change, said):
    source, made = write_pair_file(tmp_path / "there", alone=change is other_types), tmp_path / "made"
    made.mkdir()
    change(source.parent)
    with pytest.raises(ConfigError, match=said) as caught:
        adopt_model(source, made, REQUESTS, "rank")
    assert "\n" not in str(caught.value)


def test_the_head_that_is_asked_for_must_fit(tmp_path):
    source, made = write_pair_file(tmp_path / "there"), tmp_path / "made"
    made.mkdir()
    with pytest.raises(ConfigError, match="answers as the head score does; expected those of classify"):
        adopt_model(source, made, ["where is my order"], "classify")


def test_a_graph_that_passes_over_token_types_is_found_out(tmp_path, monkeypatch):
    from edgekd.export import foreign

    source, made = write_pair_file(tmp_path / "there"), tmp_path / "made"
    made.mkdir()
    monkeypatch.setattr(foreign, "find_separator", lambda *_: None)
    with pytest.raises(ParityError, match="logits differ by"):
        adopt_model(source, made, REQUESTS, "rank")
    assert read_onnx(made / "model.onnx")
