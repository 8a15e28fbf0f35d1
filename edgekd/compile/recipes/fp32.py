"""Full precision."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from edgekd.export import Graph

VERSION = 1
RUNTIMES = ("onnxruntime", "openvino", "litert")
ISAS = ("avx2", "avx512f", "avx512_vnni", "asimd", "asimddp")
IS_EXACT = True
RESTORES = ()
LIBRARIES = ("onnx",)


def build(graph: Graph, folder: Path, calibration_ids: Sequence[list[int]], runtime: str) -> None:
    """Write the graph as it is, for ONNX Runtime, or converted, for OpenVINO and LiteRT."""
    if runtime == "litert":
        from edgekd.compile.litert_model import convert

        convert(graph, calibration_ids, folder / "model.tflite")
        return
    if runtime == "onnxruntime":
        shutil.copyfile(graph.path, folder / "model.onnx")
        return
    from edgekd.compile.openvino_ir import read_graph, save_ir

    save_ir(read_graph(graph), folder / "model.xml")
