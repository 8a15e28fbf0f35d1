"""Attention in one operator: the same answers, and nothing else is touched."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from edgekd.compile.attention import fuse_attention

ROWS = [[101, 2073, 2003, 2026, 2344, 102], [101], [7] * 24]


def answers(model):
    session = ort.InferenceSession(model.SerializeToString())
    return np.concatenate([session.run(None, {"input_ids": np.array([row])})[0] for row in ROWS])


def kinds(model):
    return [node.op_type for node in model.graph.node]


@pytest.mark.parametrize("name", ["tiny", "cut"])
def test_every_layer_has_one_and_answers_alike(graphs, name):
    plain, fused = onnx.load(graphs[name].path), fuse_attention(onnx.load(graphs[name].path))
    assert kinds(fused).count("MultiHeadAttention") == 2
    assert not {"Softmax", "Transpose"} & set(kinds(fused))
    exact = answers(plain)
    assert np.abs(answers(fused) - exact).max() < 1e-5 * max(1, np.abs(exact).max())
    heads = {"tiny": 4, "cut": 12}[name]
    attributes = [n.attribute for n in fused.graph.node if n.op_type == "MultiHeadAttention"]
    assert all(next(a.i for a in found if a.name == "num_heads") == heads for found in attributes)


def test_batches_answer_alike(graphs):
    rows = np.array([[101, 2073, 102], [101, 9, 8]])
    plain, fused = onnx.load(graphs["cut"].path), fuse_attention(onnx.load(graphs["cut"].path))
    one, other = (
        ort.InferenceSession(model.SerializeToString()).run(None, {"input_ids": rows})[0]
        for model in (plain, fused)
    )
    assert np.abs(one - other).max() < 1e-4


def test_a_static_student_has_none(graphs):
    model = onnx.load(graphs["static"].path)
    assert fuse_attention(model) is model
    assert model.SerializeToString() == onnx.load(graphs["static"].path).SerializeToString()


def test_another_form_stays(graphs):
    """Keys turned another way are another sum: not the operator's."""
    model = onnx.load(graphs["tiny"].path)
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name == "perm" and list(attribute.ints) == [0, 2, 3, 1]:
                attribute.ints[:] = [0, 2, 1, 3]
    assert "MultiHeadAttention" not in kinds(fuse_attention(model))
