"""How often a verdict is wrong (A/A) and how often a slow-down is found (A/B).

    edgekd run bench/studies/clinc150.yaml       # makes the artifacts
    python bench/verdicts.py                     # 620 comparisons, 1.1 hours; stop it and run it to go on
    python bench/verdicts_table.py               # writes docs/results/verdicts.md

Every comparison is `compare_subjects` as `edgekd bench --baseline` calls it: fresh processes, at most 20 s.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from studied import HERE, find_artifact, validation_texts

from edgekd.measure.compare import compare_subjects, paired_log_ratios, tail_log_ratios
from edgekd.measure.subject import Subject

FILE = HERE.parent / "docs" / "results" / "verdicts.jsonl"
# Bursts of a neighbour, and pauses between them, in seconds on average.
BURST_SECONDS = 0.3


class Cell(NamedTuple):
    """What is compared with what, and beside whom."""

    size: str
    slowdown: float
    neighbour: str
    count: int


CELLS = tuple(
    Cell(size, slowdown, neighbour, count)
    for size, counts in {"0.1 ms": (50, 20, 25), "0.6 ms": (50, 20, 25), "2.5 ms": (50, 20, 50)}.items()
    for slowdown, count in zip((0.0, 0.05, 0.03), counts, strict=True)
    for neighbour in ("quiet", "busy")
)


def artifact_of(size: str) -> Path:
    """Find the artifact of a size among those of the CLINC150 study."""
    variant = {
        "0.1 ms": "static-256.onnxruntime.int8-dynamic",
        "0.6 ms": "cut-2l.onnxruntime.int8-dynamic",
        "2.5 ms": "cut-2l.onnxruntime.fp32",
    }[size]
    return find_artifact(variant)


def texts_of(size: str) -> list[str]:
    """Join validation texts so that a call takes about as long as the size says."""
    texts = validation_texts()
    if size == "2.5 ms":
        texts = sorted(texts, key=len)[-600:]
    random.Random(0).shuffle(texts)
    joined = 9 if size == "0.1 ms" else 2
    return [" ".join(texts[start : start + joined]) for start in range(0, 300 * joined, joined)]


@contextmanager
def neighbour(kind: str, seed: int) -> Iterator[None]:
    """Keep a core busy at random meanwhile, where the kernel likes; or do not."""
    if kind == "quiet":
        yield
        return
    command = [sys.executable, __file__, "--neighbour", str(seed)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def be_neighbour(seed: int) -> None:
    """Work in bursts until killed, or until the parent is gone."""
    rng, parent = random.Random(seed), os.getppid()
    while os.getppid() == parent:
        time.sleep(rng.expovariate(1 / BURST_SECONDS))
        end = time.monotonic() + rng.expovariate(1 / BURST_SECONDS)
        while time.monotonic() < end:
            sum(range(2000))


def compare_once(cell: Cell, number: int) -> dict[str, object]:
    """Run one comparison and return its line of the file."""
    folder, texts = str(artifact_of(cell.size)), texts_of(cell.size)
    baseline = Subject("baseline", "slowed:open_slowed", (folder, "0"))
    candidate = Subject("candidate", "slowed:open_slowed", (folder, str(cell.slowdown)))
    with tempfile.TemporaryDirectory() as kept, neighbour(cell.neighbour, number):
        found = compare_subjects(candidate, baseline, texts, Path(kept))
        tail = tail_log_ratios(found.result, "candidate", "baseline")
        return {
            "size": cell.size,
            "slowdown": cell.slowdown,
            "neighbour": cell.neighbour,
            "number": number,
            "p50": found.p50.verdict,
            "p95": found.p95.verdict,
            "rounds": found.rounds,
            "seconds": round(found.seconds, 2),
            "reason": found.reason,
            "p50_us": round(float(np.median(found.result.process_percentiles("baseline", 0.5))) / 1e3, 1),
            "p95_us": round(float(np.median(found.result.process_percentiles("baseline", 0.95))) / 1e3, 1),
            "log_p50": np.round(paired_log_ratios(found.result, "candidate", "baseline"), 5).tolist(),
            "log_p95": [] if tail is None else np.round(tail, 5).tolist(),
            "flags": list(found.result.flags),
        }


def run_study(file: Path, seconds: float) -> None:
    """Do what is not done yet, all cells mixed, for about `seconds`."""
    os.environ["PYTHONPATH"] = str(HERE)
    done = {key_of(line) for line in read_lines(file)}
    todo = [(cell, number) for cell in CELLS for number in range(cell.count)]
    random.Random(0).shuffle(todo)
    todo = [(cell, number) for cell, number in todo if (*cell[:3], number) not in done]
    end = time.monotonic() + seconds
    for left, (cell, number) in zip(range(len(todo), 0, -1), todo, strict=True):
        if time.monotonic() > end:
            return
        line = compare_once(cell, number)
        with file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")
        print(f"{left} left: {cell.size} {cell.slowdown:.0%} {cell.neighbour}: {line['p50']}, "
              f"{line['rounds']} rounds, {line['seconds']} s", flush=True)  # fmt: skip


def key_of(line: dict[str, object]) -> tuple[object, ...]:
    """Return what tells one comparison from the others."""
    return (line["size"], line["slowdown"], line["neighbour"], line["number"])


def read_lines(file: Path) -> list[dict[str, object]]:
    """Read what was measured; a line that a crash cut short is left out."""
    lines = []
    for text in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        try:
            lines.append(json.loads(text))
        except ValueError:
            continue
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--file", type=Path, default=FILE)
    parser.add_argument("--seconds", type=float, default=1e9, help="stop after this long")
    parser.add_argument("--neighbour", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.neighbour is not None:
        be_neighbour(arguments.neighbour)
    else:
        run_study(arguments.file, arguments.seconds)
