"""What a Lambda function of each student weighs, how it starts, and what it costs at each memory size.

    edgekd run bench/studies/clinc150.yaml    # makes the artifacts
    python bench/lambda.py                    # ten minutes

Bundles of `lambda-x86` (static student on numpy, 2-layer student in ONNX Runtime), made twice to compare
bytes, unpacked, and run on the platform's Python with their own trimmed libraries. A start is one fresh
process pinned to one processor, to its end after one answer; it is compared with `python -c "import numpy"`
of the same numpy, {starts} of each in turns. Stages are marks on one clock, from the parent's start of the
process to its end. Tiers run under the platform's runtime client, with real limits on memory (cgroup) and
processor (quota of 20 ms, memory / 1,769 MiB of one processor); a call is timed by the Runtime API, as it
is billed. On another machine than the platform's: ratios and memory carry over, milliseconds do not.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from studied import HERE, find_artifact, validation_texts

from edgekd.bundle import make_bundle
from edgekd.bundle.kinds.lambda_zip import PYTHON
from edgekd.compile import open_artifact
from edgekd.config import load_target
from edgekd.emulate.lambda_function import start_function
from edgekd.emulate.lambda_place import prepare_place, unpack_function
from edgekd.errors import MissingRuntimeError
from edgekd.impact.tiers import choose_tier
from edgekd.report.tiers import tier_table
from edgekd.serving import load
from edgekd.single.lambda_tiers import run_tiers
from edgekd.wheels.python import find_python

TABLE = HERE.parent / "docs" / "results" / "lambda.md"
VARIANTS = ("static-256.numpy.int8-tables", "cut-2l.onnxruntime.int8-dynamic")
STARTS, EMULATED = 50, 40
STAGES = ("process", "numpy", "handler", "imports", "tokenizer", "session", "answer", "end")
_START = """
import time
marks = {"process": time.monotonic_ns()}
import os
os.environ["OPENBLAS_NUM_THREADS"] = "1"
import numpy
marks["numpy"] = time.monotonic_ns()
import lambda_function
marks["handler"] = time.monotonic_ns()
lambda_function.handler({"text": "where is my order"}, None)
marks["answer"] = time.monotonic_ns()
import json
print(json.dumps([marks, lambda_function._model.opened_ns]))
"""


def main() -> None:
    """Measure everything and write the table."""
    target, arm = load_target("lambda-x86"), load_target("lambda-arm")
    texts = validation_texts()
    lines = ["# Lambda", "", *(__doc__ or "").format(starts=STARTS).splitlines()[5:]]
    with tempfile.TemporaryDirectory() as temporary:
        folder, roots = Path(temporary), {}
        lines += ["", "| variant | unpacked, MB | zipped, MB | two builds | arm64, unpacked | zipped |"]
        lines += ["| --- | ---: | ---: | --- | ---: | ---: |"]
        for variant in VARIANTS:
            artifact = open_artifact(find_artifact(variant))
            made = make_bundle(artifact, target, folder / variant, texts[:50], "")
            again = make_bundle(artifact, target, folder / "again", texts[:50], "")
            other = make_bundle(artifact, arm, folder / f"{variant}-arm", texts[:50], "")
            roots[variant] = folder / f"{variant}-unpacked"
            unpack_function(made.path / "function.zip", roots[variant])
            unpack_function(other.path / "function.zip", folder / f"{variant}-arm-unpacked")
            sizes = [_megabytes(roots[variant]), _megabytes(made.path / "function.zip")]
            sizes += [_megabytes(folder / f"{variant}-arm-unpacked"), _megabytes(other.path / "function.zip")]
            same = "the same bytes" if made.digest == again.digest else "**other bytes**"
            lines.append(
                f"| {variant} | {sizes[0]:.1f} | {sizes[1]:.1f} | {same} | {sizes[2]:.1f} | {sizes[3]:.1f} |"
            )
        lines += _starts(roots)
        for variant in VARIANTS:
            tiers = run_tiers(folder / variant, target, texts[:300])
            chosen = choose_tier(tiers, target)
            size = "none" if chosen is None else f"{chosen.memory_mib:,} MiB"
            lines += ["", f"## {variant} by memory", "", *tier_table(tiers, target), ""]
            lines.append(f"The smallest that answers: {_smallest(tiers)}; the cheapest within p95: {size}.")
        lines += ["", "## arm64", ""]
        lines += [_answers(variant, folder / f"{variant}-arm-unpacked", texts) for variant in VARIANTS]
    lines += ["", "```sh", "python bench/lambda.py", "```"]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _megabytes(path: Path) -> float:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files) / 1e6


def _smallest(tiers: Sequence) -> str:  # type: ignore[type-arg]
    serving = [tier.memory_mib for tier in tiers if not tier.problem]
    return (
        f"{min(serving)} MiB, the platform's smallest"
        if serving and min(serving) == 128
        else str(serving[:1])
    )


def _starts(roots: dict[str, Path]) -> list[str]:
    """Start `import numpy` and each function in turns; ratios, memory, stages."""
    python = find_python(PYTHON)
    assert python is not None, f"no Python {PYTHON} here"
    first = roots[VARIANTS[0]]
    arms = {"import numpy": (first, "import numpy"), **{name: (root, _START) for name, root in roots.items()}}
    whole: dict[str, list[float]] = {name: [] for name in arms}
    stages: dict[str, list[list[float]]] = {name: [] for name in roots}
    for turn in range(STARTS + 1):
        for name, (root, code) in arms.items():
            taken, said, begun = _start(python, root, code)
            if not turn:
                continue  # brings the files into memory
            whole[name].append(taken)
            if name in stages:
                marks, opened = json.loads(said)
                stages[name].append(_stages(marks, opened, begun, taken))
    base = whole["import numpy"]
    lines = ["", "## A start with its first answer, over `import numpy`", ""]
    lines += ["| variant | p50 | p95 [95 % interval] | stages over the whole |"]
    lines += ["| --- | ---: | ---: | ---: |"]
    for name in roots:
        sums = statistics.median(
            sum(row) / taken for row, taken in zip(stages[name], whole[name], strict=True)
        )
        low, high = _bounds(whole[name], base)
        lines.append(
            f"| {name} | {_ratio(whole[name], base, 50):.2f} | {_ratio(whole[name], base, 95):.2f} "
            f"[{low:.2f}–{high:.2f}] | {sums:.3f} |"
        )
    lines += ["", "Stages, median, as a share of `import numpy` as a process:", ""]
    lines += [f"| variant | {' | '.join(STAGES)} |", f"| --- |{' ---: |' * len(STAGES)}"]
    scale = statistics.median(base)
    for name, rows in stages.items():
        middle = [statistics.median(column) / scale for column in zip(*rows, strict=True)]
        lines.append(f"| {name} | {' | '.join(f'{share:.3f}' for share in middle)} |")
    return lines


def _start(python: str, root: Path, code: str) -> tuple[float, str, int]:
    """Return milliseconds, what was said, and the clock at the start."""
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(own)})
    try:
        begun = time.monotonic_ns()
        done = subprocess.run(
            [python, "-S", "-B", "-c", code], cwd=root, env={}, capture_output=True, text=True, check=True
        )
        taken = (time.monotonic_ns() - begun) / 1e6
    finally:
        os.sched_setaffinity(0, own)
    return taken, done.stdout, begun


def _stages(marks: dict[str, int], opened: dict[str, int], begun: int, taken: float) -> list[float]:
    """Milliseconds of each of STAGES: between marks; what the loader booked is taken out of the handler's."""
    loader = {name: opened.get(name, 0) / 1e6 for name in ("imports", "tokenizer", "session")}
    process = (marks["process"] - begun) / 1e6
    numpy = (marks["numpy"] - marks["process"]) / 1e6
    handler = (marks["handler"] - marks["numpy"]) / 1e6 - sum(loader.values())
    answer = (marks["answer"] - marks["handler"]) / 1e6
    end = taken - (marks["answer"] - begun) / 1e6
    return [process, numpy, handler, *loader.values(), answer, end]


def _ratio(some: Sequence[float], base: Sequence[float], q: float) -> float:
    return float(np.percentile(some, q) / np.percentile(base, q))


def _bounds(some: Sequence[float], base: Sequence[float]) -> tuple[float, float]:
    """Bound the ratio of 95th percentiles by a bootstrap over turns."""
    rng, pairs = np.random.default_rng(0), np.array([some, base])
    drawn = pairs[:, rng.integers(0, pairs.shape[1], (4000, pairs.shape[1]))]
    ratios = np.percentile(drawn[0], 95, axis=1) / np.percentile(drawn[1], 95, axis=1)
    low, high = np.percentile(ratios, [2.5, 97.5])
    return float(low), float(high)


def _answers(variant: str, root: Path, texts: Sequence[str]) -> str:
    """Compare the arm64 function's answers under emulation with the artifact's here."""
    asked = list(texts[:: len(texts) // EMULATED])[:EMULATED]
    here = load(find_artifact(variant))
    try:
        place = prepare_place("aarch64", PYTHON)
    except MissingRuntimeError as error:
        return f"- {variant}: not run: {error}"
    with start_function(root, 1769, place) as function:
        answered = function.invoke(json.dumps({"texts": asked}).encode())
        if answered is None:
            return f"- {variant}: **{function.problem}**"
    labels = [one["label"] for one in json.loads(answered.body)["answers"]]
    same = sum(label == here(text).label for label, text in zip(labels, asked, strict=True))
    return (
        f"- {variant}: {same} of {len(asked)} answers alike, through the client, under emulation (no times)."
    )


if __name__ == "__main__":
    main()
