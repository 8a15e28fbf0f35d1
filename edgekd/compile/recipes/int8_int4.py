"""Int8 as in int8-dynamic, but 4 bits where a product multiplies one row a text: past the last attention.

Reading such weights is all its time (`int4_products`), so half the bytes answer sooner.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekd.compile.attention import fuse_attention
from edgekd.compile.int4_products import quantize_single
from edgekd.compile.int8_products import quantize_products
from edgekd.compile.small_table import quantize_tables
from edgekd.export import Graph

VERSION = 1
RUNTIMES = ("onnxruntime",)
KINDS = ("transformer", "static")
ISAS = ("avx2", "avx512f", "avx512_vnni", "asimd", "asimddp")
IS_EXACT = False
RESTORES = ()
LIBRARIES = ("onnx",)


def build(graph: Graph, folder: Path, calibration_ids: Sequence[list[int]], runtime: str) -> None:
    """Write `model.onnx`."""
    del calibration_ids, runtime
    import onnx

    # Before attention becomes one operator: through that, shapes are not followed.
    model = fuse_attention(quantize_single(quantize_tables(onnx.load(graph.path))))
    model = quantize_products(model)
    del model.metadata_props[:]
    (folder / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
