"""Write the compiled model of one build: rows shared, the recipe's work, saturating products repaired."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from edgekd.compile.rows import count_rows, share_embeddings, share_rows
from edgekd.config import Build
from edgekd.export import Graph

Ids = Sequence[list[int]]
"""Token ids of texts [text][token]."""


def write_model(
    graph: Graph,
    build: Build,
    recipe: ModuleType,
    calibration: Ids,
    used: Ids,
    path: Path,
    kept: Collection[str] = (),
) -> tuple[str, ...]:
    """Write the model to `path`, and whatever the recipe puts beside it.

    `calibration` fits ranges. `used` says which rows of embedding tables are used, where the build keeps some
    of them. Operators named in `kept` stay in fp32.

    Returns:
        The names of the int8 products that were kept from saturating.
    """
    with tempfile.TemporaryDirectory() as temporary:
        source = _share_rows(graph, build, used, Path(temporary))
        recipe.build(source, path.parent, calibration, build.runtime, **({"kept": kept} if kept else {}))
    repaired = () if recipe.IS_EXACT else _keep_from_saturating(path)
    _share_constants(path)
    return repaired


def _share_constants(path: Path) -> None:
    """Let products in an ONNX file share weights as in the graph: a recipe rounds those of each product."""
    if path.suffix != ".onnx":
        return
    import onnx

    from edgekd.export.surgery import share_constants

    model = onnx.load(path)
    if share_constants(model.graph):
        path.write_bytes(model.SerializeToString(deterministic=True))


def _share_rows(graph: Graph, build: Build, used: Ids, folder: Path) -> Graph:
    """Return the graph with as many rows in its tables as the build says."""
    if build.rows is None:
        return graph
    import onnx

    whole = onnx.load(graph.path)
    small = share_rows(onnx.load(graph.path), count_rows(whole, used), build.rows)
    (folder / "shared.onnx").write_bytes(small.SerializeToString(deterministic=True))
    load = graph.load
    shared = None if load is None else lambda: share_embeddings(load(), whole, small)
    return replace(graph, path=folder / "shared.onnx", load=shared)


def _keep_from_saturating(path: Path) -> tuple[str, ...]:
    """Repair the int8 products of an ONNX file that some input can saturate without VNNI; name them."""
    if path.suffix != ".onnx":
        return ()
    import onnx

    from edgekd.compile.saturation import keep_from_saturating

    model = onnx.load(path)
    repaired = keep_from_saturating(model)
    if repaired:
        path.write_bytes(model.SerializeToString(deterministic=True))
    return repaired
