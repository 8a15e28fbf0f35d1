"""Fewer rows in embedding tables: rows that texts hardly use share the nearest one that they do.

A table's rows are counted over real texts by running the graph, whatever computes its indices (token ids, or
hashes of pairs). Those whose count times squared length is largest are kept; every other row is answered by
the kept one nearest to it (Euclidean), so that any id still has a row and the tokenizer stays as it is. A
map from old rows to new ones, one 32-bit number a row, goes into the graph before the look-up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edgekd.export.graph import INPUT
from edgekd.export.surgery import expose_values, find_constants, replace_nodes

if TYPE_CHECKING:
    import onnx
    from torch import nn

_SMALLEST = 1 << 16  # bytes; a smaller table is not worth another operator
_CHUNK = 2048


def find_lookups(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """Return the nodes that look up rows of a constant float table of some size."""
    from onnx import TensorProto

    weights = find_constants(model.graph)
    found = []
    for node in model.graph.node:
        table = weights.get(node.input[0]) if node.op_type == "Gather" else None
        axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0)
        if table is None or axis != 0 or table.data_type != TensorProto.FLOAT or len(table.dims) != 2:
            continue
        if table.dims[1] > 1 and 4 * table.dims[0] * table.dims[1] >= _SMALLEST:
            found.append(node)
    return found


def count_rows(model: onnx.ModelProto, rows: Sequence[list[int]]) -> dict[str, npt.NDArray[np.int64]]:
    """Count how often rows of ids [token] read each row of each table; keyed by the table's name."""
    import onnxruntime as ort
    from onnx import TensorProto

    lookups, tables = find_lookups(model), find_constants(model.graph)
    indices = sorted({node.input[1] for node in lookups} - {INPUT})
    counts = {node.input[0]: np.zeros(tables[node.input[0]].dims[0], np.int64) for node in lookups}
    session = None
    if indices:
        watched = expose_values(model, indices, TensorProto.INT64)
        session = ort.InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    for ids in rows:
        if not ids:
            continue
        given = np.array([ids], np.int64)
        found = {INPUT: given}
        if session is not None:
            found |= dict(zip(indices, session.run(indices, {INPUT: given}), strict=True))
        for node in lookups:
            np.add.at(counts[node.input[0]], found[node.input[1]].ravel(), 1)
    return counts


def share_rows(
    model: onnx.ModelProto, counts: dict[str, npt.NDArray[np.int64]], kept: int
) -> onnx.ModelProto:
    """Keep `kept` rows of each counted table that has more, in place."""
    from onnx import helper, numpy_helper

    graph = model.graph
    weights = find_constants(graph)
    renamed = {}
    for name, used in counts.items():
        table = numpy_helper.to_array(weights[name])
        if len(table) <= kept:
            continue
        chosen, places = choose_rows(table, used, kept)
        renamed[name] = _place_of(name)
        weights[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(table[chosen]), name))
        graph.initializer.append(numpy_helper.from_array(places.astype(np.int32), renamed[name]))
    nodes = []
    for node in graph.node:
        if node.op_type == "Gather" and node.input[0] in renamed:
            place = f"{node.output[0]}_place"
            nodes.append(helper.make_node("Gather", [renamed[node.input[0]], node.input[1]], [place], place))
            node.input[1] = place
        nodes.append(node)
    replace_nodes(graph, nodes)
    return model


def choose_rows(
    table: npt.NDArray[np.float32], counts: npt.NDArray[np.int64], kept: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the rows to keep [kept], in their order, and each row's place among them [row]."""
    value = counts * (table.astype(np.float64) ** 2).sum(1)
    chosen = np.sort(np.argsort(-value, kind="stable")[:kept])
    centres = table[chosen]
    size = (centres**2).sum(1)
    places = np.concatenate(
        [
            (size - 2 * table[start : start + _CHUNK] @ centres.T).argmin(1)
            for start in range(0, len(table), _CHUNK)
        ]
    )
    places[chosen] = np.arange(len(chosen))
    return chosen, places


def share_embeddings(module: nn.Module, whole: onnx.ModelProto, shared: onnx.ModelProto) -> nn.Module:
    """Give the module that `whole` was exported from the tables of `shared`, in place."""
    import torch
    from onnx import numpy_helper
    from torch import nn
    from torch.nn import functional

    class Shared(nn.Module):
        """An embedding of few rows behind a map from ids to rows."""

        def __init__(self, places: torch.Tensor, rows: torch.Tensor) -> None:
            super().__init__()
            self.register_buffer("places", places)
            self.weight = nn.Parameter(rows, requires_grad=False)

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return functional.embedding(self.get_buffer("places")[ids], self.weight)

    before, after = find_constants(whole.graph), find_constants(shared.graph)
    for name in [name for name in before if _place_of(name) in after]:
        table = torch.from_numpy(numpy_helper.to_array(before[name]).copy())
        parts = (numpy_helper.to_array(after[key]).copy() for key in (_place_of(name), name))
        made = Shared(*map(torch.from_numpy, parts))
        for parent in list(module.modules()):
            for key, child in list(parent.named_children()):
                if isinstance(child, nn.Embedding) and torch.equal(child.weight, table):
                    setattr(parent, key, made)
    return module


def _place_of(name: str) -> str:
    """Name the map from a table's old rows to its new ones."""
    return f"{name}_place"
