"""4-bit products: which ones, how they are packed, and what they cost in precision."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from edgekd.compile.int4_products import BLOCK, pack, quantize_single, unpack
from edgekd.compile.int8_products import quantize_products

ROWS = [[101, 2073, 2003, 2026, 2344, 102], [101], list(range(200, 224))]


def answers(model):
    session = ort.InferenceSession(model.SerializeToString())
    return np.concatenate([session.run(None, {"input_ids": np.array([row])})[0] for row in ROWS])


def test_packed_weights_are_within_half_a_step():
    weights = np.random.default_rng(0).normal(size=(2 * BLOCK, 5)).astype(np.float32)
    packed, scales = pack(weights)
    assert packed.shape == (5, 2, BLOCK // 2) and scales.shape == (10,)
    steps = np.abs(scales).reshape(5, 2, 1).repeat(BLOCK, 2).reshape(5, -1).T
    wrong = np.abs(unpack(packed, scales) - weights) / steps
    # The side of a block's largest weight reaches -8 steps, the other +7: what lies beyond is cut there.
    assert wrong.max() <= 1 and (wrong > 0.5 + 1e-4).mean() < 0.01


def test_a_block_of_zeros_has_a_scale():
    packed, scales = pack(np.zeros((BLOCK, 2), np.float32))
    assert scales.tolist() == [1, 1]
    assert not unpack(packed, scales).any()


def test_the_operator_computes_what_is_packed(graphs):
    """MatMulNBits against the unpacked weights: only its int8 activations differ."""
    exact, model = onnx.load(graphs["cut"].path), quantize_single(onnx.load(graphs["cut"].path))
    constants = {w.name: onnx.numpy_helper.to_array(w) for w in model.graph.initializer}
    places = {node.name: node for node in exact.graph.node}
    weights = {w.name: w for w in exact.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "MatMulNBits":
            old = places[node.name]
            rounded = unpack(constants[node.input[1]], constants[node.input[2]])
            if any(a.name == "transB" and a.i for a in old.attribute):
                rounded = np.ascontiguousarray(rounded.T)
            weights[old.input[1]].CopyFrom(onnx.numpy_helper.from_array(rounded, old.input[1]))
    assert np.abs(answers(model) - answers(exact)).max() < 0.1 * answers(exact).std()


@pytest.mark.parametrize(("name", "count"), [("cut", 5), ("tiny", 0), ("static", 1)])
def test_only_products_of_one_row_are_taken(graphs, name, count):
    """The last layer's query, output and feed-forward, and the pooler; not a head of 20 labels."""
    model = quantize_single(onnx.load(graphs[name].path))
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("MatMulNBits") == count
    rest = [node.op_type for node in quantize_products(model).graph.node]
    assert rest.count("MatMulNBits") == count
    assert rest.count("MatMulIntegerToFloat") == {"cut": 9, "tiny": 14, "static": 1}[name]


def test_named_operators_stay(graphs):
    model = onnx.load(graphs["cut"].path)
    taken = [
        n.name
        for n in quantize_single(onnx.load(graphs["cut"].path)).graph.node
        if n.op_type == "MatMulNBits"
    ]
    kept = quantize_single(model, taken[:2])
    assert [n.name for n in kept.graph.node if n.op_type == "MatMulNBits"] == taken[2:]
