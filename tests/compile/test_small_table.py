"""Tables in 8 and 4 bits: every row within half a step, and the graph gives those rows."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper, numpy_helper

from edgekd.compile.small_table import quantize_rows, quantize_tables

TABLE = (np.random.default_rng(0).normal(size=(300, 64)) * np.logspace(-3, 2, 300)[:, None]).astype(
    np.float32
)
TABLE[7] = 0


def make_model(table):
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "ids"], ["y"], "look_up")],
        "g",
        [value("ids", onnx.TensorProto.INT64, [1, "n"])],
        [value("y", onnx.TensorProto.FLOAT, [1, "n", None])],
        [numpy_helper.from_array(table, "table")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


@pytest.mark.parametrize("bits", [8, 4])
def test_a_row_is_within_half_a_step(bits):
    model = quantize_tables(make_model(TABLE), bits)
    onnx.checker.check_model(model, full_check=True)
    session = ort.InferenceSession(model.SerializeToString())
    (rows,) = session.run(None, {"ids": np.arange(300)[None]})[0]
    step = np.abs(TABLE).max(1, keepdims=True) / (2 ** (bits - 1) - 1)
    assert (np.abs(rows - TABLE) <= 0.5001 * step).all()
    assert not rows[7].any()
    packed = sum(len(weight.raw_data) for weight in model.graph.initializer)
    assert packed < TABLE.size * bits / 8 + 300 * 4 + 16


def test_an_odd_width_stays_in_four_bits():
    odd = np.ascontiguousarray(np.tile(TABLE, 2)[:, :63])
    assert [node.op_type for node in quantize_tables(make_model(odd), 4).graph.node] == ["Gather"]


def test_small_tables_stay():
    assert [node.op_type for node in quantize_tables(make_model(TABLE[:10])).graph.node] == ["Gather"]


def test_rows_have_scales_of_their_own():
    rows, scales = quantize_rows(np.array([[1.0, -0.5], [100, 50]], np.float32), 8)
    assert rows.tolist() == [[127, -64], [127, 64]] and scales.ravel().tolist() == pytest.approx(
        [1 / 127, 100 / 127]
    )
