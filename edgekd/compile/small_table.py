"""Embedding tables in 8 or 4 bits, each row with its own scale.

One scale for the table is set by its largest entry; token vectors differ much in size, so most rows would use
few of the steps. Four bits lie two in a byte: the first half of a row in the low ones, the second half in the
high ones, so that a look-up takes a byte apart with two operators and needs no reordering.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from edgekd.compile.rows import find_lookups
from edgekd.export.surgery import find_constants, replace_nodes

if TYPE_CHECKING:
    import onnx

Bits = Literal[4, 8]


def quantize_tables(model: onnx.ModelProto, bits: Bits = 8, kept: Collection[str] = ()) -> onnx.ModelProto:
    """Replace Gather(table, ids) by a look-up of small integers times Gather(scale, ids), in place.

    Look-ups named in `kept` stay as they are.
    """
    from onnx import numpy_helper

    graph = model.graph
    lookups = {node.output[0] for node in find_lookups(model) if node.name not in kept}
    weights = find_constants(graph)
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        table = numpy_helper.to_array(weights[node.input[0]]) if node.output[0] in lookups else None
        if table is None or (bits == 4 and table.shape[1] % 2):
            nodes.append(node)
            continue
        rows, scales = quantize_rows(table, bits)
        if bits == 4:
            half = table.shape[1] // 2
            rows = (rows[:, :half] + 8 | rows[:, half:] + 8 << 4).astype(np.uint8)
        name = node.input[0]
        graph.initializer.append(numpy_helper.from_array(rows, f"{name}_int{bits}"))
        graph.initializer.append(numpy_helper.from_array(scales, f"{name}_scale"))
        nodes += _look_up(node, bits)
    if bits == 4:
        graph.initializer.extend(
            [
                numpy_helper.from_array(np.array(4, np.uint8), "four_bits"),
                numpy_helper.from_array(np.array(15, np.uint8), "low_bits"),
                numpy_helper.from_array(np.array(8, np.float32), "eight"),
            ]
        )
    replace_nodes(graph, nodes)
    return model


def quantize_rows(
    table: npt.NDArray[np.float32], bits: Bits
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Return whole numbers [row, width], from -7 or -127 up, and each row's scale [row, 1]."""
    top = (1 << bits - 1) - 1
    scales = np.abs(table).max(1, keepdims=True) / top
    scales[scales == 0] = 1
    return np.rint(table / scales).astype(np.int8), scales.astype(np.float32)


def _look_up(node: onnx.NodeProto, bits: Bits) -> list[onnx.NodeProto]:
    from onnx import TensorProto, helper

    table, ids, out = node.input[0], node.input[1], node.output[0]
    nodes = [helper.make_node("Gather", [f"{table}_int{bits}", ids], [f"{out}_int"], f"{node.name}_int")]
    if bits == 8:
        nodes.append(_cast(f"{out}_int", f"{out}_steps", TensorProto.FLOAT))
    else:
        nodes += [
            helper.make_node("BitwiseAnd", [f"{out}_int", "low_bits"], [f"{out}_low"], f"{node.name}_low"),
            helper.make_node(
                "BitShift",
                [f"{out}_int", "four_bits"],
                [f"{out}_high"],
                f"{node.name}_high",
                direction="RIGHT",
            ),
            helper.make_node(
                "Concat", [f"{out}_low", f"{out}_high"], [f"{out}_both"], f"{node.name}_both", axis=-1
            ),
            _cast(f"{out}_both", f"{out}_counts", TensorProto.FLOAT),
            helper.make_node("Sub", [f"{out}_counts", "eight"], [f"{out}_steps"], f"{node.name}_centre"),
        ]
    return [
        *nodes,
        helper.make_node("Gather", [f"{table}_scale", ids], [f"{out}_scale"], f"{node.name}_scale"),
        helper.make_node("Mul", [f"{out}_steps", f"{out}_scale"], [out], node.name),
    ]


def _cast(source: str, target: str, kind: int) -> onnx.NodeProto:
    from onnx import helper

    return helper.make_node("Cast", [source], [target], f"{target}_cast", to=kind)
