"""What holds one number whatever the input is folded; nothing else is."""

import build_sample
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekd.compile.uniform import fold_uniform

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def make(nodes, constants):
    """Make a model of ids [batch, token] that adds a bias from `nodes` to scores [batch, token, token]."""
    ends = [
        helper.make_node("Cast", ["ids"], ["numbers"], to=FLOAT),
        helper.make_node("Unsqueeze", ["numbers", "last"], ["column"]),
        helper.make_node("Unsqueeze", ["numbers", "first"], ["row"]),
        helper.make_node("MatMul", ["column", "row"], ["scores"]),
        helper.make_node("Shape", ["ids"], ["shape"]),
        *nodes,
        helper.make_node("Add", ["scores", "bias"], ["out"]),
    ]
    known = {
        "last": np.array([2]),
        "first": np.array([1]),
        "zero": np.array(0),
        "one": np.array(1),
        **constants,
    }
    graph = helper.make_graph(
        ends, "g",
        [helper.make_tensor_value_info("ids", INT64, ["b", "n"])],
        [helper.make_tensor_value_info("out", FLOAT, ["b", "n", "n"])],
        [numpy_helper.from_array(array, name) for name, array in known.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def ones(value=1):
    return helper.make_node(
        "ConstantOfShape", ["shape"], ["mask"], value=helper.make_tensor("v", INT64, [1], [value])
    )


FAR = {
    "far": np.float32(-np.inf),
    "none": np.float32(0),
    "lowest": np.float32(-3.4e38),
    "unit": np.float32(1),
}
TRUE = [
    helper.make_node("Cast", ["mask"], ["true"], to=BOOL),
    helper.make_node("Unsqueeze", ["true", "first"], ["wide"]),
]
BIASES = {
    "chosen": [ones(), *TRUE, helper.make_node("Where", ["wide", "none", "far"], ["bias"])],
    "multiplied": [
        ones(),
        helper.make_node("Cast", ["mask"], ["float"], to=FLOAT),
        helper.make_node("Unsqueeze", ["float", "first"], ["wide"]),
        helper.make_node("Sub", ["unit", "wide"], ["inverse"]),
        helper.make_node("Mul", ["inverse", "lowest"], ["bias"]),
    ],
    "of places": [
        ones(),
        *TRUE,
        helper.make_node("Gather", ["shape", "one"], ["count"]),
        helper.make_node("Range", ["zero", "count", "one"], ["places"]),
        helper.make_node("GreaterOrEqual", ["places", "zero"], ["behind"]),
        helper.make_node("And", ["behind", "wide"], ["both"]),
        helper.make_node("Where", ["both", "none", "far"], ["bias"]),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", BIASES)
def test_a_bias_that_a_mask_of_ones_makes_is_folded(name):
    model = make(BIASES[name], FAR)
    folded = fold_uniform(model)
    kinds = [node.op_type for node in folded.graph.node]
    assert kinds == ["Cast", "Unsqueeze", "Unsqueeze", "MatMul", "Add"]
    assert_equal(model, folded)


UNEVEN = {
    "a mask of zeros": [ones(0), *TRUE, helper.make_node("Where", ["wide", "none", "lowest"], ["bias"])],
    "causal": [
        helper.make_node("Gather", ["shape", "one"], ["count"]),
        helper.make_node("Range", ["zero", "count", "one"], ["places"]),
        helper.make_node("Unsqueeze", ["places", "first"], ["down"]),
        helper.make_node("GreaterOrEqual", ["down", "places"], ["seen"]),
        helper.make_node("Where", ["seen", "none", "lowest"], ["bias"]),
    ],
    "of the ids": [
        helper.make_node("Greater", ["ids", "one"], ["wide_ids"]),
        helper.make_node("Unsqueeze", ["wide_ids", "first"], ["wide"]),
        helper.make_node("Where", ["wide", "none", "lowest"], ["bias"]),
    ],
}


@pytest.mark.parametrize("name", UNEVEN)
def test_answers_are_the_same_whatever_the_mask_is(name):
    model = make(UNEVEN[name], FAR)
    folded = fold_uniform(model)
    assert (folded is model) == (name != "a mask of zeros")
    assert_equal(model, folded)


def assert_equal(model, folded):
    onnx.checker.check_model(folded, full_check=True)
    one, other = (
        ort.InferenceSession(one.SerializeToString(), providers=["CPUExecutionProvider"])
        for one in (model, folded)
    )
    for ids in (np.array([[0, 1, 2, 5]]), np.array([[3], [0]])):
        assert np.array_equal(one.run(None, {"ids": ids})[0], other.run(None, {"ids": ids})[0])


@pytest.mark.long
@pytest.mark.openvino
def test_nncf_quantizes_a_file_with_a_mask(tmp_path):
    """Torch's newer exporter wrote it: its mask, which is all ones here, is what NNCF cannot read."""
    import tiny_models as tiny
    import torch

    from edgekd.distill.weights import quiet
    from edgekd.export.foreign import adopt_model

    model = tiny.write_model(tmp_path)
    tiny.write_tokenizer(tmp_path)
    names = ("input_ids", "attention_mask", "token_type_ids")
    given = {name: torch.ones(2, 8, dtype=torch.long) for name in names}
    free = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    with quiet():
        torch.onnx.export(
            model,
            kwargs=given,
            f=tmp_path / "model.onnx",
            dynamo=True,
            opset_version=18,
            dynamic_shapes={name: free for name in names},
            verbose=False,
        )
    (tmp_path / "out").mkdir()
    graph = adopt_model(tmp_path / "model.onnx", tmp_path / "out", tiny.TEXTS)
    assert next(one.version for one in onnx.load(graph.path).opset_import if not one.domain) == 18
    texts = tiny.TEXTS * 5
    made = build_sample.compile_sample(
        graph, "openvino", "int8-nncf", tmp_path / "made", texts=texts, fit_temperature=None
    )
    assert b"FakeQuantize" in (made.path / "openvino_model.xml").read_bytes()
    assert made.parity.mean_error_share < 0.2
