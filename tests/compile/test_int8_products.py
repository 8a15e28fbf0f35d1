"""Int8 products: never saturating, whatever the input, and as near to fp32 as int8 goes."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from edgekd.compile.int8_products import quantize_products, safe_scales

LIMIT = 32767


def rounded(weights):
    return np.rint(weights / safe_scales(weights)).astype(int)


@given(
    st.integers(1, 9), st.integers(1, 5), st.integers(0, 10_000), st.sampled_from(["normal", "ones", "heavy"])
)
@settings(max_examples=200, deadline=None)
def test_no_pair_can_saturate(rows, columns, seed, kind):
    rng = np.random.default_rng(seed)
    weights = {
        "normal": rng.normal(size=(rows, columns)),
        "ones": rng.choice([-1.0, 1.0], size=(rows, columns)),
        "heavy": rng.standard_cauchy(size=(rows, columns)),
    }[kind].astype(np.float32)
    steps = rounded(weights)
    assert np.abs(steps).max() <= 127
    padded = np.concatenate([steps, np.zeros((rows % 2, columns), int)])
    first, second = padded[::2], padded[1::2]
    # The largest sum that 0 to 255 can make of a pair: all of what is positive, or all that is negative.
    assert (255 * (np.maximum(first, 0) + np.maximum(second, 0))).max() <= LIMIT
    assert (255 * (np.minimum(first, 0) + np.minimum(second, 0))).min() >= -LIMIT - 1


def test_plain_scales_would_saturate():
    weights = np.ones((2, 1), np.float32)
    assert LIMIT < 255 * 2 * 127
    assert rounded(weights).ravel().tolist() == [64, 64] and LIMIT >= 255 * 128


def test_a_column_of_zeros_has_a_step():
    assert safe_scales(np.zeros((3, 2), np.float32)).tolist() == [1, 1]


def make_model(*nodes, **constants):
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "g",
        [value("x", onnx.TensorProto.FLOAT, ["n", 16])],
        [value("y", onnx.TensorProto.FLOAT, ["n", None])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def answer(model, x):
    return ort.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]


RNG = np.random.default_rng(0)
W = RNG.normal(size=(16, 24)).astype(np.float32)
B = RNG.normal(size=24).astype(np.float32)
MODELS = {
    "product and sum": make_model(
        helper.make_node("MatMul", ["x", "w"], ["p"], "first"),
        helper.make_node("Add", ["b", "p"], ["y"], "second"),
        w=W,
        b=B,
    ),
    "gemm": make_model(
        helper.make_node("Gemm", ["x", "v", "b"], ["y"], "first", transB=1), v=np.ascontiguousarray(W.T), b=B
    ),
    "two of one value": make_model(
        helper.make_node("MatMul", ["x", "w"], ["p"], "first"),
        helper.make_node("MatMul", ["x", "u"], ["q"], "second"),
        helper.make_node("Mul", ["p", "q"], ["y"], "third"),
        w=W,
        u=W[::-1].copy(),
    ),
    "sum that is used twice": make_model(
        helper.make_node("MatMul", ["x", "w"], ["p"], "first"),
        helper.make_node("Add", ["p", "b"], ["s"], "second"),
        helper.make_node("Mul", ["p", "s"], ["y"], "third"),
        w=W,
        b=B,
    ),
    "sum of another shape": make_model(
        helper.make_node("MatMul", ["x", "w"], ["p"], "first"),
        helper.make_node("Add", ["p", "c"], ["y"], "second"),
        w=W,
        c=B[:1],
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_answers_stay_near(name):
    model = MODELS[name]
    x = RNG.normal(size=(7, 16)).astype(np.float32)
    expected = answer(model, x)
    small = quantize_products(type(model).FromString(model.SerializeToString()))
    kinds = [node.op_type for node in small.graph.node]
    assert "MatMul" not in kinds and "Gemm" not in kinds
    assert kinds.count("DynamicQuantizeLinear") == 1
    assert np.abs(answer(small, x) - expected).mean() < 0.02 * np.abs(expected).mean() + 0.02


def test_what_is_kept_stays_as_it_is():
    model = MODELS["two of one value"]
    copy = quantize_products(type(model).FromString(model.SerializeToString()), kept=["second"])
    kinds = {node.name: node.op_type for node in copy.graph.node}
    assert kinds["second"] == "MatMul" and kinds["first"] == "MatMulIntegerToFloat"
    names = {weight.name for weight in copy.graph.initializer}
    assert "u" in names and "w" not in names


def test_products_that_are_not_plain_are_left():
    scaled = make_model(helper.make_node("Gemm", ["x", "w"], ["y"], "first", alpha=0.5), w=W)
    assert [node.op_type for node in quantize_products(scaled).graph.node] == ["Gemm"]


SQUARE = RNG.normal(size=(16, 16)).astype(np.float32)
UNNAMED = {
    "two products of one value": make_model(
        helper.make_node("MatMul", ["x", "w"], ["p"]),
        helper.make_node("MatMul", ["x", "u"], ["q"]),
        helper.make_node("Add", ["q", "b"], ["s"]),
        helper.make_node("Mul", ["p", "s"], ["y"]),
        w=W,
        u=W[::-1].copy(),
        b=B,
    ),
    "one table of weights, read both ways": make_model(
        helper.make_node("MatMul", ["x", "w"], ["p"]),
        helper.make_node("Gemm", ["p", "w"], ["y"], transB=1),
        w=SQUARE,
    ),
}


@pytest.mark.parametrize("name", UNNAMED)
def test_nodes_without_names_are_told_apart(name):
    model = UNNAMED[name]
    x = RNG.normal(size=(7, 16)).astype(np.float32)
    expected = answer(model, x)
    small = quantize_products(type(model).FromString(model.SerializeToString()))
    assert [node.op_type for node in small.graph.node].count("MatMulIntegerToFloat") == 2
    assert np.abs(answer(small, x) - expected).mean() < 0.02 * np.abs(expected).mean() + 0.02
