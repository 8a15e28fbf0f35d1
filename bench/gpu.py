"""The GPU target, on a machine that has one: compiled, parity proven, measured, gated; then batches.

    make demo               # or nothing: what is missing is trained
    python bench/gpu.py     # writes docs/results/gpu.md

The gate's figures are of one text at a time, text in and label out, as for every target. The second table is
of ids already on the host: what the GPU gains by batches, against the same student in ONNX Runtime on this
machine's CPU with all its threads.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from studied import HERE, find_artifact

from edgekd.measure.environment import find_gpu
from edgekd.serving.manifest import read_manifest
from edgekd.serving.runtimes import import_runtime, open_session

TABLE = HERE.parent / "docs" / "results" / "gpu.md"
STUDY = HERE / "studies" / "mangaassist.yaml"
BATCHES = (1, 8, 32, 128, 512)
TOKENS, ROUNDS, CALLS = 16, 9, 10
BUILDS = {
    "GPU fp16": ("gpu", "cut-2l.aotinductor.fp16"),
    "GPU fp32": ("gpu", "cut-2l.aotinductor.fp32"),
    "CPU fp32": ("lambda-x86", "cut-2l.onnxruntime.fp32"),
}


def main() -> None:
    """Run the study for the GPU, then the batches, and write both."""
    if not find_gpu():
        sys.exit("no NVIDIA GPU here; run this where there is one")
    command = [sys.executable, "-m", "edgekd", "run", str(STUDY)]
    ended = subprocess.run([*command, "--target", "gpu", "--target", "lambda-x86"], check=False).returncode
    if ended not in (0, 1):  # 1: a gate holds a variant back, and its figures stand
        sys.exit(ended)
    run = max(HERE.glob("studies/.edgekd/runs/mangaassist-*/verdicts/gpu.json"), key=_age).parent.parent
    report = (run / "report.md").read_text(encoding="utf-8")
    TABLE.write_text("\n".join([*_batches(), "", report]), encoding="utf-8")


def _batches() -> list[str]:
    folders = {name: find_artifact(v, target=t, study="mangaassist") for name, (t, v) in BUILDS.items()}
    times = time_batches(folders)
    lines = [
        f"# {find_gpu()}",
        "",
        f"Texts a second at {TOKENS} tokens, median of {ROUNDS} rounds in turns: `python bench/gpu.py`.",
        "",
        f"| batch | {' | '.join(BUILDS)} |",
        f"| --- |{' --- |' * len(BUILDS)}",
    ]
    for size in BATCHES:
        shown = [f"{size / statistics.median(times[name, size]):,.0f}" for name in BUILDS]
        lines.append(f"| {size} | {' | '.join(shown)} |")
    return lines


def time_batches(folders: dict[str, Path]) -> dict[tuple[str, int], list[float]]:
    """Return seconds a call by build and batch, one a round; builds take turns."""
    models = {name: _open(folder) for name, folder in folders.items()}
    ids = np.random.default_rng(0).integers(1000, 8000, (max(BATCHES), TOKENS))
    found: dict[tuple[str, int], list[float]] = {}
    for _ in range(ROUNDS):
        for size in BATCHES:
            for name, model in models.items():
                model.run_batch(ids[:size])
                start = time.perf_counter()
                for _ in range(CALLS):
                    model.run_batch(ids[:size])
                found.setdefault((name, size), []).append((time.perf_counter() - start) / CALLS)
    return found


def _open(folder: Path) -> Any:
    manifest = read_manifest(folder)
    return open_session(import_runtime(folder, manifest), folder, manifest, os.cpu_count() or 1)


def _age(path: Path) -> float:
    return path.stat().st_mtime


if __name__ == "__main__":
    main()
