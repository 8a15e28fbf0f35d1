"""What each step on the graph brings: the 2-layer student in ONNX Runtime, one step after the other.

    edgekd run bench/studies/clinc150.yaml    # trains the student
    python bench/gains.py                     # five minutes; nothing else may run meanwhile

Rounds of fresh processes take turns on one core; text in, logits out, by the same tokenizer and session
settings throughout. Each ratio is over the step before: above 1 is faster. Answers are compared with the
whole model's in fp32, on validation texts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from gains_subject import open_model
from plain import WORK as PLAIN
from plain import prepare
from studied import HERE, find_artifact, find_export, read_texts, validation_texts

from edgekd.compile.attention import fuse_attention
from edgekd.compile.int4_products import quantize_single
from edgekd.compile.int8_products import quantize_products
from edgekd.compile.rows import count_rows, share_rows
from edgekd.compile.small_table import quantize_tables
from edgekd.measure.bench_file import load_bench
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.session import measure_subjects
from edgekd.measure.subject import Subject
from edgekd.serving.tokenize import open_tokenizer

TABLE = HERE.parent / "docs" / "results" / "gains.md"
WORK = HERE / "studies" / ".edgekd" / "gains"
PLAN = MeasurePlan(rounds=10, seconds=0.6, threads=1)
ROWS = 10_000
Model = onnx.ModelProto
Step = tuple[str, str, Callable[[], Model]]
"""Name, the step that it is compared with, and how it is made."""


def main() -> None:
    """Build every step, measure them side by side, and write the table."""
    texts = validation_texts()[::7]
    names = [name for name, _, _ in _steps()]
    if "--table" not in sys.argv[1:]:
        _build()
        os.environ["PYTHONPATH"] = str(HERE)
        call = "gains_subject:open_model"
        subjects = [Subject(name, call, (str(_file(name)), str(_tokenizer()))) for name in names]
        measure_subjects(subjects, texts, WORK / "bench", PLAN, lambda share, words: print(words, flush=True))
    result = load_bench(WORK / "bench")
    everything = validation_texts()
    answers = {name: _answer(name, everything) for name in names}
    lines = ["# What each step on the graph brings", "", *(__doc__ or "").splitlines()[5:], ""]
    lines += ["| step | over | p50 | p95 | MB | answers as the whole model in fp32 |", "| --- " * 6 + "|"]
    for name, before, _ in _steps():
        cells = [_ratio(result.ratio(before, name, q)) if before else "1" for q in (0.5, 0.95)]
        alike = f"{(answers[name] == answers[names[0]]).mean():.2%}"
        size = _file(name).stat().st_size / 1e6
        lines.append(f"| {name} | {before or '-'} | {cells[0]} | {cells[1]} | {size:.1f} | {alike} |")
    lines += ["", "```sh", "python bench/gains.py", "```", ""]
    lines.append(f"Environment: {result.environment.fingerprint}.")
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _steps() -> list[Step]:
    whole, lean, int8, small = "whole model, fp32", "lean", "int8 products", "int8 tables"
    attention, int4, rows = "attention in one operator", "4 bits for single rows", f"{ROWS:,} rows"
    return [
        (whole, "", lambda: onnx.load(PLAIN / "fp32.onnx")),
        (lean, whole, _lean),
        (int8, lean, lambda: quantize_products(_lean())),
        (small, int8, lambda: quantize_products(quantize_tables(_lean(), 8))),
        (attention, small, lambda: quantize_products(quantize_tables(fuse_attention(_lean()), 8))),
        (
            int4,
            attention,
            lambda: quantize_products(fuse_attention(quantize_single(quantize_tables(_lean())))),
        ),
        (rows, int4, _few_rows),
    ]


def _lean() -> Model:
    """Return the exported graph: mask and token types folded, the last layer for the first token alone."""
    return onnx.load(find_export(find_artifact("cut-2l.onnxruntime.fp32")))


def _few_rows() -> Model:
    tokenize = open_tokenizer(_tokenizer(), 64)
    used = count_rows(_lean(), [tokenize(text) or [0] for text in read_texts("train")])
    model = share_rows(_lean(), used, ROWS)
    return quantize_products(fuse_attention(quantize_single(quantize_tables(model))))


def _build() -> None:
    prepare()
    WORK.mkdir(parents=True, exist_ok=True)
    for name, _, make in _steps():
        _file(name).write_bytes(make().SerializeToString(deterministic=True))


def _file(name: str) -> Path:
    return WORK / f"{name.replace(' ', '-').replace(',', '')}.onnx"


def _tokenizer() -> Path:
    return find_artifact("cut-2l.onnxruntime.fp32") / "tokenizer.json"


def _answer(name: str, texts: list[str]) -> Any:
    answer = open_model(str(_file(name)), str(_tokenizer()))
    return np.array([answer(text) for text in texts])


def _ratio(found: Any) -> str:
    return f"{found.estimate:.2f} [{found.low:.2f}-{found.high:.2f}]" if found else "-"


if __name__ == "__main__":
    main()
