"""Export the student the way a peer's users do; runs in that peer's environment.

    .venvs/optimum/bin/python export.py optimum STUDENT FOLDER TEXTS

Every export is int8 by the peer's documented defaults, for a CPU with VNNI where it asks; `FOLDER` gets
what serving needs and nothing else. `TEXTS` are calibration texts, for the one that calibrates.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

CARRIED = ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


def export_optimum(student: Path, folder: Path, texts: Path) -> None:
    """`from_pretrained(export=True)`, then `ORTQuantizer` with the AVX512-VNNI defaults."""
    from optimum.onnxruntime import ORTModelForSequenceClassification, ORTQuantizer
    from optimum.onnxruntime.configuration import AutoQuantizationConfig

    del texts
    model = ORTModelForSequenceClassification.from_pretrained(student, export=True)
    quantizer = ORTQuantizer.from_pretrained(model)
    config = AutoQuantizationConfig.avx512_vnni(is_static=False)
    quantizer.quantize(save_dir=folder, quantization_config=config)


def export_sentence_onnx(student: Path, folder: Path, texts: Path) -> None:
    """`export_dynamic_quantized_onnx_model` of a cross-encoder."""
    from sentence_transformers import CrossEncoder
    from sentence_transformers.backend import export_dynamic_quantized_onnx_model

    del texts
    model = CrossEncoder(str(student), backend="onnx", device="cpu", model_kwargs={"export": True})
    export_dynamic_quantized_onnx_model(model, "avx512_vnni", str(folder))


def export_sentence_openvino(student: Path, folder: Path, texts: Path) -> None:
    """`export_static_quantized_openvino_model` of a cross-encoder, calibrated on our calibration texts."""
    from optimum.intel import OVQuantizationConfig
    from sentence_transformers import CrossEncoder
    from sentence_transformers.backend import export_static_quantized_openvino_model

    model = CrossEncoder(str(student), backend="openvino", device="cpu", model_kwargs={"export": True})
    with tempfile.TemporaryDirectory() as rows:
        lines = [json.dumps({"text": text}) for text in json.loads(texts.read_text(encoding="utf-8"))]
        (Path(rows) / "train.jsonl").write_text("\n".join(lines), encoding="utf-8")
        export_static_quantized_openvino_model(
            model,
            OVQuantizationConfig(num_samples=300),
            str(folder),
            dataset_name=rows,
            dataset_config_name="default",
            dataset_split="train",
            column_name="text",
        )


def export_olive(student: Path, folder: Path, texts: Path) -> None:
    """A workflow of conversion, transformer fusion for BERT and dynamic quantization."""
    from olive import run

    del texts
    inputs = ["input_ids", "attention_mask", "token_type_ids"]
    axes = {name: {"0": "batch_size", "1": "sequence_length"} for name in inputs}
    with tempfile.TemporaryDirectory() as cache:
        run(
            {
                "input_model": {
                    "type": "HfModel",
                    "model_path": str(student),
                    "task": "text-classification",
                    "io_config": {
                        "input_names": inputs,
                        "input_shapes": [[2, 16]] * 3,
                        "input_types": ["int64"] * 3,
                        "output_names": ["logits"],
                        "dynamic_axes": {**axes, "logits": {"0": "batch_size"}},
                    },
                },
                "passes": {
                    "conversion": {"type": "OnnxConversion"},
                    "fusion": {"type": "OrtTransformersOptimization", "model_type": "bert"},
                    "quantization": {"type": "OnnxDynamicQuantization"},
                },
                "cache_dir": f"{cache}/cache",
                "output_dir": f"{cache}/out",
            }
        )
        shutil.copyfile(next(Path(cache, "out").rglob("model.onnx")), folder / "model.onnx")


if __name__ == "__main__":
    peer, student, folder, texts = sys.argv[1], *map(Path, sys.argv[2:5])
    {
        "optimum": export_optimum,
        "sentence-onnx": export_sentence_onnx,
        "sentence-openvino": export_sentence_openvino,
        "olive": export_olive,
    }[peer](student, folder, texts)
    for name in CARRIED:
        if (student / name).is_file():
            shutil.copyfile(student / name, folder / name)
