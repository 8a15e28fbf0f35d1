"""Half precision, for GPUs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekd.compile.inductor import compile_module
from edgekd.export import Graph

VERSION = 1
RUNTIMES = ("aotinductor",)
KINDS = ("transformer", "static")
# Of the CPU that compiles, where there is no GPU: the package is bound to it.
ISAS = ("avx512f",)
IS_EXACT = False
RESTORES = ()
LIBRARIES = ("torch",)


def build(graph: Graph, folder: Path, calibration_ids: Sequence[list[int]], runtime: str) -> None:
    """Write the package; takes 15 to 30 seconds on a CPU."""
    del calibration_ids, runtime
    compile_module(graph, folder / "model.pt2", half=True)
