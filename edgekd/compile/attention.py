"""Attention as one operator of ONNX Runtime instead of fourteen.

What torch exports splits each of query, key and value into heads, turns them, multiplies, scales, takes
the softmax, multiplies and turns back. `MultiHeadAttention`, of ONNX Runtime's own domain, takes the values
as they come from the projections. The same sums but for their order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgekd.export.surgery import (
    drop_unread,
    find_constants,
    find_makers,
    find_readers,
    replace_nodes,
    require_domain,
)

if TYPE_CHECKING:
    import onnx

DOMAIN = "com.microsoft"


@dataclass(frozen=True)
class _Attention:
    """Where one attention starts and ends: its projections, its result, heads and scale."""

    query: str
    key: str
    value: str
    end: onnx.NodeProto
    heads: int
    scale: float


def fuse_attention(model: onnx.ModelProto) -> onnx.ModelProto:
    """Replace every attention of the exported form, in place; what has another form stays."""
    from onnx import helper

    graph = model.graph
    found = {one.end.output[0]: one for one in _find(model)}
    if not found:
        return model
    nodes = []
    for node in graph.node:
        one = found.get(node.output[0])
        if one is not None:
            node = helper.make_node(
                "MultiHeadAttention",
                [one.query, one.key, one.value],
                [node.output[0]],
                f"{node.name}_attention",
                domain=DOMAIN,
                num_heads=one.heads,
                scale=one.scale,
            )
        nodes.append(node)
    replace_nodes(graph, nodes)
    drop_unread(graph)
    require_domain(model, DOMAIN)
    return model


def _find(model: onnx.ModelProto) -> list[_Attention]:
    return [found for node in model.graph.node if node.op_type == "Softmax" if (found := _match(model, node))]


def _match(model: onnx.ModelProto, softmax: onnx.NodeProto) -> _Attention | None:
    """Follow softmax(scale * (Q K')) V back to the three projections and on to the joined heads."""
    from onnx import numpy_helper

    graph = model.graph
    makers, readers, constants = find_makers(graph), find_readers(graph), find_constants(graph)

    def up(node: onnx.NodeProto | None, place: int, kind: str) -> onnx.NodeProto | None:
        found = None if node is None else makers.get(node.input[place])
        return found if found is not None and found.op_type == kind else None

    def down(node: onnx.NodeProto | None, kind: str) -> onnx.NodeProto | None:
        found = None if node is None else readers.get(node.output[0])
        return found if found is not None and found.op_type == kind else None

    scaled = up(softmax, 0, "Mul")
    scores = up(scaled, 0, "MatMul")
    mixed = down(softmax, "MatMul")
    turned = [up(scores, 0, "Transpose"), up(scores, 1, "Transpose"), up(mixed, 1, "Transpose")]
    split = [up(node, 0, "Reshape") for node in turned]
    end = down(down(mixed, "Transpose"), "Reshape")
    if scaled is None or end is None or None in split or scaled.input[1] not in constants:
        return None
    if _turns(turned) != [[0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]]:
        return None
    heads = {_heads(node, makers, constants) for node in split}
    scale = numpy_helper.to_array(constants[scaled.input[1]])
    if len(heads) != 1 or None in heads or scale.size != 1:
        return None
    query, key, value = (node.input[0] for node in split if node is not None)
    return _Attention(query, key, value, end, heads.pop() or 1, float(scale))


def _turns(nodes: list[onnx.NodeProto | None]) -> list[list[int]]:
    return [
        list(attribute.ints)
        for node in nodes
        if node is not None
        for attribute in node.attribute
        if attribute.name == "perm"
    ]


def _heads(
    reshape: onnx.NodeProto | None,
    makers: dict[str, onnx.NodeProto],
    constants: dict[str, onnx.TensorProto],
) -> int | None:
    """Read how many heads a width is split into: the third of four sizes, given at once or joined."""
    from onnx import numpy_helper

    if reshape is None:
        return None
    name = reshape.input[1]
    if name in constants:
        sizes = numpy_helper.to_array(constants[name])
        return int(sizes[2]) if len(sizes) == 4 else None
    joined = makers.get(name)
    if joined is None or joined.op_type != "Concat" or len(joined.input) != 4:
        return None
    third = constants.get(joined.input[2])
    return None if third is None else int(np.ravel(numpy_helper.to_array(third))[0])
