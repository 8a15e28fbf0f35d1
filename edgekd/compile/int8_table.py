"""Embedding tables in int8, each row with its own scale.

One scale for the table is set by its largest entry; token vectors differ much in size, so most
rows would use few of the 255 steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import onnx

_SMALLEST = 1 << 16  # bytes; below that a table is not worth two more operators


def quantize_tables(model: onnx.ModelProto) -> onnx.ModelProto:
    """Replace Gather(table, ids) by Cast(Gather(int8)) * Gather(scale), in place."""
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph
    weights = {weight.name: weight for weight in graph.initializer}
    nodes = []
    for node in graph.node:
        axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0)
        weight = weights.get(node.input[0]) if node.op_type == "Gather" and axis == 0 else None
        if weight is None or weight.data_type != TensorProto.FLOAT or len(weight.dims) != 2:
            nodes.append(node)
            continue
        table = numpy_helper.to_array(weight)
        if table.nbytes < _SMALLEST or table.shape[1] < 2:
            nodes.append(node)
            continue
        scale = np.abs(table).max(1, keepdims=True) / 127
        scale[scale == 0] = 1
        rows = np.rint(table / scale).astype(np.int8)
        name, ids, output = node.input[0], node.input[1], node.output[0]
        graph.initializer.append(numpy_helper.from_array(rows, f"{name}_int8"))
        graph.initializer.append(numpy_helper.from_array(scale.astype(np.float32), f"{name}_scale"))
        nodes += [
            helper.make_node("Gather", [f"{name}_int8", ids], [f"{output}_int8"], f"{node.name}_int8"),
            helper.make_node(
                "Cast", [f"{output}_int8"], [f"{output}_steps"], f"{node.name}_cast", to=TensorProto.FLOAT
            ),
            helper.make_node("Gather", [f"{name}_scale", ids], [f"{output}_scale"], f"{node.name}_scale"),
            helper.make_node("Mul", [f"{output}_steps", f"{output}_scale"], [output], node.name),
        ]
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    kept = [weight for name, weight in _by_name(graph).items() if name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    return model


def _by_name(graph: onnx.GraphProto) -> dict[str, onnx.TensorProto]:
    return {weight.name: type(weight).FromString(weight.SerializeToString()) for weight in graph.initializer}
