"""Int8 weights per channel, activations quantized as they come; for ONNX Runtime and LiteRT.

Safe on AVX2 whatever the text: weights are scaled so that no sum saturates (`int8_products`), and AVX2 and
VNNI give the same logits. arm64 rounds otherwise, by less than the error that int8 itself makes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from edgekd.compile.attention import fuse_attention
from edgekd.compile.int8_products import quantize_products
from edgekd.compile.small_table import quantize_tables
from edgekd.export import Graph

VERSION = 3
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
    """Write the model: int8 matrix products, embedding tables in int8 with a scale a row.

    Operators named in `kept` stay in fp32, in ONNX Runtime.
    """
    if runtime == "litert":
        from edgekd.compile.litert_model import convert, quantize_dynamically

        convert(graph, calibration_ids, folder / "model.tflite")
        quantize_dynamically(folder / "model.tflite")
        return
    import onnx

    model = quantize_products(quantize_tables(fuse_attention(onnx.load(graph.path)), 8, kept), kept)
    del model.metadata_props[:]
    (folder / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
