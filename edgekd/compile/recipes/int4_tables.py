"""Int8 matrix products as in int8-dynamic, embedding tables in 4 bits: where the size of the file decides.

A table is most of a small student, and looking up a dozen rows of it costs little: two operators more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from edgekd.compile.attention import fuse_attention
from edgekd.compile.int8_products import quantize_products
from edgekd.compile.small_table import quantize_tables
from edgekd.export import Graph

VERSION = 2
RUNTIMES = ("onnxruntime", "litert")
KINDS = ("transformer", "static")
ISAS = ("avx2", "avx512f", "avx512_vnni", "asimd", "asimddp")
IS_EXACT = False
RESTORES = ("onnxruntime",)
LIBRARIES = ("onnx",)


def build(
    graph: Graph,
    folder: Path,
    calibration_ids: Sequence[list[int]],
    runtime: str,
    kept: Collection[str] = (),
) -> None:
    """Write the model; operators named in `kept` stay in fp32, in ONNX Runtime."""
    if runtime == "litert":
        from edgekd.compile.litert_model import convert, quantize_dynamically

        convert(graph, calibration_ids, folder / "model.tflite")
        quantize_dynamically(folder / "model.tflite", table_bits=4)
        return
    import onnx

    model = quantize_products(quantize_tables(fuse_attention(onnx.load(graph.path)), 4, kept), kept)
    del model.metadata_props[:]
    (folder / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
