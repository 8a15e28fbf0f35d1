"""Artifacts load where others look for a model: a mask that is proven to act, plain ONNX Runtime."""

import build_sample
import numpy as np
import pytest
import sample_students as samples

from edgekd.compile.openvino_mask import add_mask, proves_mask
from edgekd.serving import load

pytestmark = pytest.mark.openvino
TEXTS = ["where is my order", "money back", "the books that came on monday were wet and torn"]


def read(graph):
    from edgekd.compile.openvino_ir import read_graph

    return read_graph(graph)


def test_a_text_in_a_padded_batch_gets_its_own_answer(graphs):
    model = read(graphs["cut"])
    add_mask(model)
    assert proves_mask(model, [[7, 8, 9], [5], list(range(20, 33))])


def test_a_mask_that_does_not_act_is_not_proven(graphs):
    model = read(graphs["static"])  # it has no scores: padding would be summed up
    add_mask(model)
    assert not proves_mask(model, [[7, 8, 9], [5]])


def test_rows_of_one_length_prove_nothing(graphs):
    model = read(graphs["static"])
    add_mask(model)
    assert not proves_mask(model, [[7, 8, 9], [5, 6, 7]])
    assert not proves_mask(model, [])


def test_what_transformers_reads_beside_the_model(graphs, tmp_path):
    from transformers import AutoConfig, AutoTokenizer

    made = build_sample.compile_sample(graphs["cut"], "openvino", "fp32", tmp_path / "artifact")
    ours = load(made.path)
    tokenizer = AutoTokenizer.from_pretrained(made.path)
    found = tokenizer(TEXTS, padding=True)
    assert list(AutoConfig.from_pretrained(made.path).id2label.values()) == list(samples.LABELS)
    for text, ids, mask in zip(TEXTS, found["input_ids"], found["attention_mask"], strict=True):
        assert [token for token, real in zip(ids, mask, strict=True) if real] == ours.tokenize(text)


def test_plain_onnx_runtime_answers_as_the_artifact_does(graphs, tmp_path):
    import onnxruntime as ort

    made = build_sample.compile_sample(graphs["cut"], "onnxruntime", "int8-int4", tmp_path / "artifact")
    ours = load(made.path)
    session = ort.InferenceSession(made.path / "model.onnx")
    for text in TEXTS:
        (logits,) = session.run(None, {"input_ids": np.array([ours.tokenize(text)])})
        np.testing.assert_allclose(logits[0], ours.outputs([text])[0], atol=1e-4)
