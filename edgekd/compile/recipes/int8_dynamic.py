"""Int8 weights per channel, activations quantized as they come; for ONNX Runtime and LiteRT.

Safe on AVX2: without VNNI, ONNX Runtime adds pairs of u8 x s8 products in 16 bits, which
saturates with full-range weights. `reduce_range` keeps weights to 7 bits, where it cannot: AVX2 and VNNI
give the same logits. arm64 rounds otherwise, by less than the error that int8 itself makes.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

from edgekd.compile.int8_table import quantize_tables
from edgekd.export import Graph

VERSION = 1
RUNTIMES = ("onnxruntime", "litert")
ISAS = ("avx2", "avx512f", "avx512_vnni", "asimd", "asimddp")
IS_EXACT = False
LIBRARIES = ("onnx", "onnxruntime")


def build(graph: Graph, folder: Path, calibration_ids: Sequence[list[int]], runtime: str) -> None:
    """Write the model: int8 matrix products, embedding tables in int8 with a scale a row."""
    if runtime == "litert":
        from edgekd.compile.litert_model import convert, quantize_dynamically

        convert(graph, calibration_ids, folder / "model.tflite")
        quantize_dynamically(folder / "model.tflite", bits=8)
        return
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = quantize_tables(onnx.load(graph.path))
    with tempfile.TemporaryDirectory() as temporary:
        result = Path(temporary) / "model.onnx"
        logging.disable(logging.WARNING)  # it advises pre-processing on the root logger
        try:
            quantize_dynamic(
                model,
                result,
                op_types_to_quantize=["MatMul", "Gemm"],
                per_channel=True,
                reduce_range=True,
                weight_type=QuantType.QInt8,
                extra_options={"MatMulConstBOnly": True, "DefaultTensorType": onnx.TensorProto.FLOAT},
            )
        finally:
            logging.disable(logging.NOTSET)
        quantized = onnx.load(result)
    del quantized.graph.value_info[:], quantized.metadata_props[:]
    (folder / "model.onnx").write_bytes(quantized.SerializeToString(deterministic=True))
