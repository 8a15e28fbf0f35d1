"""Half precision: for GPUs, and as half the size of a file that OpenVINO computes in fp32 on a CPU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekd.export import Graph

VERSION = 1
RUNTIMES = ("aotinductor", "openvino")
KINDS = ("transformer", "static")
# Of the CPU that compiles, where there is no GPU: the package is bound to it.
ISAS = ("avx512f",)
ISAS_OF = {"openvino": ("avx2", "avx512f", "avx512_vnni", "asimd", "asimddp")}
IS_EXACT = False
RESTORES = ()
LIBRARIES = ("torch",)
LIBRARIES_OF = {"openvino": ("onnx", "openvino")}


def build(graph: Graph, folder: Path, calibration_ids: Sequence[list[int]], runtime: str) -> None:
    """Write OpenVINO's files with weights in half precision, or the package: 15 to 30 seconds on a CPU."""
    if runtime == "openvino":
        from edgekd.compile.openvino_ir import read_graph, save_ir

        save_ir(read_graph(graph), graph, calibration_ids, folder, half=True)
        return
    from edgekd.compile.inductor import compile_module

    compile_module(graph, folder / "model.pt2", half=True)
