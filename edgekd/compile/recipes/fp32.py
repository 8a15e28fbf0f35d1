"""Full precision."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekd.compile.attention import fuse_attention
from edgekd.export import Graph

VERSION = 3
RUNTIMES = ("onnxruntime", "openvino", "litert", "aotinductor")
KINDS = ("transformer", "static")
ISAS = ("avx2", "avx512f", "avx512_vnni", "asimd", "asimddp")
IS_EXACT = True
RESTORES = ()
LIBRARIES = ("onnx",)


def build(graph: Graph, folder: Path, calibration_ids: Sequence[list[int]], runtime: str) -> None:
    """Write the graph, attention in one operator, for ONNX Runtime, or what the others make of it."""
    if runtime == "litert":
        from edgekd.compile.litert_model import convert

        convert(graph, calibration_ids, folder / "model.tflite")
        return
    if runtime == "aotinductor":
        from edgekd.compile.inductor import compile_module

        compile_module(graph, folder / "model.pt2", half=False)
        return
    if runtime == "onnxruntime":
        import onnx

        model = fuse_attention(onnx.load(graph.path))
        (folder / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
        return
    from edgekd.compile.openvino_ir import read_graph, save_ir

    save_ir(read_graph(graph), graph, calibration_ids, folder)
