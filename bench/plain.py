"""One 2-layer student compiled by us, the usual way, and by each tool's defaults, in one interleaved run.

    edgekd run bench/studies/clinc150.yaml    # trains the student and makes our artifacts
    python bench/plain.py                     # four minutes; nothing else may run meanwhile
    python bench/plain.py --table             # writes the table again from the last run

Usual: torch's ONNX exporter, `quantize_dynamic`, Hugging Face's tokenizer, ONNX Runtime. The best single one
that the toolchain's notes tried: LiteRT, dynamic int8, signatures of 16, 32 and 64 tokens.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from plain_subjects import SIGNATURES
from studied import DIGEST, HERE, find_artifact, validation_texts

from edgekd.compile import open_artifact
from edgekd.measure.bench_file import load_bench
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.result import BenchResult
from edgekd.measure.session import measure_subjects
from edgekd.measure.subject import Subject

TABLE = HERE.parent / "docs" / "results" / "plain.md"
WORK = HERE / "studies" / ".edgekd" / "plain"
PLAN = MeasurePlan(rounds=10, seconds=0.6, threads=1)
MOST = 64  # tokens
OURS = {
    "ours: ONNX Runtime int8": ("lambda-x86", "cut-2l.onnxruntime.int8-dynamic"),
    "ours: ONNX Runtime fp32": ("lambda-x86", "cut-2l.onnxruntime.fp32"),
    "ours: OpenVINO int8": ("intel-openvino", "cut-2l.openvino.int8-nncf"),
    "ours: OpenVINO fp32": ("intel-openvino", "cut-2l.openvino.fp32"),
}
BEST = "ours: ONNX Runtime int8"
THEIRS = {
    "usual: export, quantize_dynamic, AutoTokenizer": ("plain_subjects:open_plain", ()),
    "toolchain's best: LiteRT int8, three signatures": ("plain_subjects:open_litert", ()),
    "OpenVINO int8 (NNCF), any length, its defaults": ("plain_subjects:open_openvino", ("nncf.xml",)),
    "OpenVINO fp32 file, any length, its defaults": ("plain_subjects:open_openvino", ("fp32.xml",)),
}
_HEAD = """\
# Against the usual ways

One student (2 layers of MiniLM-L6, CLINC150), {rounds} rounds of fresh processes that take turns on one core,
one thread each, text in and label out, {texts} validation texts. Ratios are over `{best}`:
above 1 is slower than ours. Intervals are at 95 %, over processes. MB are of the files that serving needs.

| | p50 over ours | p95 over ours | MB |
| --- | --- | --- | --- |
"""


def main() -> None:
    """Make what is missing, measure, and write the table."""
    texts = validation_texts()[::7]
    if "--table" not in sys.argv[1:]:
        prepare()
        os.environ["PYTHONPATH"] = str(HERE)
        of = "edgekd.serving.subject:open_subject"
        subjects = [
            Subject(name, of, (str(find_artifact(v, target=t)), "1")) for name, (t, v) in OURS.items()
        ]
        subjects += [Subject(name, call, (str(WORK), *more)) for name, (call, more) in THEIRS.items()]
        measure_subjects(subjects, texts, WORK / "bench", PLAN, lambda share, words: print(words, flush=True))
    result = load_bench(WORK / "bench")
    TABLE.write_text("\n".join(_lines(result, len(texts))) + "\n", encoding="utf-8")


def prepare() -> None:
    """Write the student as a Hugging Face folder, and compile it the others' ways."""
    student = find_student()
    WORK.mkdir(parents=True, exist_ok=True)
    if (WORK / "made").exists() and (WORK / "made").read_text("utf-8") == str(student):
        return
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        shutil.copyfile(student / name, WORK / name)
    tokens = {f"{name}_token": f"[{name.upper()}]" for name in ("unk", "sep", "pad", "cls", "mask")}
    notes = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": MOST, **tokens}
    notes["model_input_names"] = ["input_ids", "token_type_ids", "attention_mask"]  # type: ignore[assignment]
    (WORK / "tokenizer_config.json").write_text(json.dumps(notes), encoding="utf-8")
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(WORK, attn_implementation="eager").eval()
    _export_plain(model)
    _export_litert(model)
    _export_openvino()
    _check(model)
    (WORK / "made").write_text(str(student), encoding="utf-8")


def _check(model: Any) -> None:
    """End where a compiled form answers otherwise than the model: what is wrong is no rival."""
    import plain_subjects
    import torch
    from tokenizers import Tokenizer

    tokenizer, texts = Tokenizer.from_file(str(WORK / "tokenizer.json")), validation_texts()[::40]
    with torch.inference_mode():
        rows = [torch.tensor([tokenizer.encode(text).ids]) for text in texts]
        wanted = [model.config.id2label[int(model(row).logits.argmax())] for row in rows]
    for name, (call, more) in THEIRS.items():
        answer = getattr(plain_subjects, call.partition(":")[2])(str(WORK), *more)
        alike = sum(answer(text) == label for text, label in zip(texts, wanted, strict=True)) / len(texts)
        if alike < 0.9:
            sys.exit(f"{name}: answers as the model to {alike:.0%} of texts only")


def find_student() -> Path:
    """Return the folder of the study's newest 2-layer student."""
    found = list(HERE.glob(f"studies/.edgekd/runs/clinc150-{DIGEST}/students/cut-2l"))
    return max(found, key=lambda path: path.stat().st_mtime).resolve()


def _export_plain(model: Any) -> None:
    import onnx
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic

    ids = torch.ones(2, 8, dtype=torch.int64)
    names = ("input_ids", "attention_mask", "token_type_ids")
    shape = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    torch.onnx.export(
        model,
        kwargs={name: ids.clone() for name in names},  # one tensor for all would be one input for all
        f=WORK / "fp32.onnx",
        dynamo=True,
        input_names=list(names),
        output_names=["logits"],
        dynamic_shapes={name: shape for name in names},
    )
    exported = onnx.load(WORK / "fp32.onnx")
    del exported.graph.value_info[:]
    quantize_dynamic(exported, WORK / "plain.onnx", weight_type=QuantType.QInt8)


def _export_litert(model: Any) -> None:
    import litert_torch
    import torch
    from ai_edge_quantizer import quantizer, recipe

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
            return logits

    converter: Any = litert_torch
    for size in SIGNATURES:
        ids = torch.ones(1, size, dtype=torch.int32)
        given = {"input_ids": ids, "attention_mask": ids.clone()}
        converter = converter.signature(f"s{size}", Logits().eval(), sample_kwargs=given)
    converter.convert().export(str(WORK / "fp32.tflite"))
    work = quantizer.Quantizer(str(WORK / "fp32.tflite"))
    work.load_quantization_recipe(recipe.dynamic_wi8_afp32())
    (WORK / "plain.tflite").unlink(missing_ok=True)
    work.quantize().export_model(str(WORK / "plain.tflite"))


def _export_openvino() -> None:
    import nncf
    import numpy as np
    import openvino as ov
    from tokenizers import Tokenizer

    model = ov.convert_model(WORK / "fp32.onnx")
    ov.save_model(model, WORK / "fp32.xml", compress_to_fp16=False)
    tokenizer = Tokenizer.from_file(str(WORK / "tokenizer.json"))
    rows = [tokenizer.encode(text) for text in validation_texts()[:300]]
    given = [
        {"input_ids": row.ids, "attention_mask": row.attention_mask, "token_type_ids": row.type_ids}
        for row in rows
    ]
    data = [{name: np.array([ids], np.int64) for name, ids in one.items()} for one in given]
    quantized = nncf.quantize(model, nncf.Dataset(data), model_type=nncf.ModelType.TRANSFORMER)
    ov.save_model(quantized, WORK / "nncf.xml", compress_to_fp16=False)


def _lines(result: BenchResult, texts: int) -> list[str]:
    lines = [_HEAD.format(rounds=PLAN.rounds, texts=texts, best=BEST).rstrip()]
    for name in (*OURS, *THEIRS):
        ratios = (result.ratio(name, BEST, q) for q in (0.5, 0.95))
        shown = [
            "1" if name == BEST else f"{r.estimate:.2f} [{r.low:.2f}-{r.high:.2f}]" if r else "-"
            for r in ratios
        ]
        lines.append(f"| {name} | {shown[0]} | {shown[1]} | {_size(name) / 1e6:.1f} |")
    given, own = "OpenVINO int8 (NNCF), any length, its defaults", "ours: OpenVINO int8"
    among = [result.ratio(given, own, q) for q in (0.5, 0.95)]
    shown = [f"{r.estimate:.2f} [{r.low:.2f}-{r.high:.2f}]" for r in among if r]
    lines += ["", f"Within OpenVINO, its defaults over ours, both int8: p50 {shown[0]}, p95 {shown[1]}."]
    lines += [
        "",
        "```sh",
        "python bench/plain.py",
        "```",
        "",
        f"Environment: {result.environment.fingerprint}.",
    ]
    return lines


def _size(name: str) -> int:
    if name in OURS:
        target, variant = OURS[name]
        return open_artifact(find_artifact(variant, target=target)).size_bytes
    files = {"usual": ["plain.onnx"], "toolc": ["plain.tflite"]}.get(name[:5], [])
    files = files or (["nncf.xml", "nncf.bin"] if "int8" in name else ["fp32.xml", "fp32.bin"])
    return sum((WORK / file).stat().st_size for file in [*files, "tokenizer.json"])


if __name__ == "__main__":
    main()
