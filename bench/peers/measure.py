"""Measure the peers beside our artifacts of the same student, in one interleaved run, and write the table.

python bench/peers/prepare.py
python bench/peers/measure.py             # three minutes; nothing else may run meanwhile
python bench/peers/measure.py --table     # writes docs/results/peers.md again from the last run
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from lineup import BENCH, ENTRIES, HERE, ROOT, STUDENT, TEXTS, THREADS, Entry, ours
from prepare import answers_file

from edgekd.evaluate.drop import paired_drop
from edgekd.measure.bench_file import load_bench
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.result import BenchResult
from edgekd.measure.session import measure_subjects
from edgekd.measure.subject import Subject
from edgekd.stats.interval import Interval
from edgekd.store import digest_file

TABLE = ROOT / "docs" / "results" / "peers.md"
PLAN = MeasurePlan(rounds=8, seconds=0.5, threads=int(THREADS))
_LIBRARIES = (
    *("optimum", "optimum-onnx", "optimum-intel", "sentence-transformers", "olive-ai", "transformers"),
    *("tokenizers", "torch", "onnxruntime", "openvino", "nncf", "numpy"),
)
_HEAD = """\
# Peers in the same run

One trained student (2 layers of MiniLM-L6, CLINC150, 151 labels), exported by each and measured together:
{rounds} rounds of fresh processes that take turns on one core, one thread each, text in and label out, on
{texts} validation texts. Ratios compare a row with our artifact on the same engine, round by round; above 1
is slower than ours. Intervals are at 95 %, over processes. Peak memory is of the whole process, the
interpreter and the peer's own imports included; size is what serving needs on disk, without libraries.
Accuracy is on the in-scope test rows; the drop is against the fp32 student in PyTorch, positive is worse,
with one-sided 95 % bounds.
"""


def main() -> None:
    """Measure, unless told that the last run is enough, and write the table."""
    texts = json.loads(TEXTS.read_text(encoding="utf-8"))
    if "--table" not in sys.argv[1:]:
        os.environ.update(PYTHONPATH=str(HERE), HF_HUB_OFFLINE="1")
        subjects = [
            Subject(entry.name, entry.factory, (str(entry.folder), THREADS), python=entry.python)
            for entry in ENTRIES
        ]
        measure_subjects(subjects, texts["timed"], BENCH, PLAN, lambda share, words: print(words, flush=True))
    result = load_bench(BENCH)
    TABLE.write_text("\n".join(_lines(result, texts)) + "\n", encoding="utf-8")
    print(TABLE.read_text(encoding="utf-8"))


def _lines(result: BenchResult, texts: dict[str, list[str]]) -> Iterator[str]:
    yield _HEAD.format(rounds=len(result.conditions), texts=result.inputs)
    columns = ("text in, label out through", "engine", "p50 ms", "p95 ms", "p50 over ours", "p95 over ours")
    columns += ("cold start ms", "peak MB", "size MB", "accuracy %", "drop, points")
    yield f"| {' | '.join(columns)} |\n{'| --- ' * len(columns)}|"
    for entry in ENTRIES:
        yield _row(result, entry, texts["truth"])
    yield "\n## How each is called\n"
    for entry in ENTRIES:
        yield f"- {entry.name}: {entry.call}"
    yield "\n## Remarks\n"
    yield from _remarks(texts["parity"])
    yield "\n## Versions\n"
    for python in dict.fromkeys(entry.python for entry in ENTRIES):
        names = ", ".join(entry.name for entry in ENTRIES if entry.python == python)
        yield f"- {names}: {_versions(python)}"
    machine = result.environment
    yield f"\n## Environment\n\n{machine.cpu}, {machine.cores} cores, {machine.python}, kernel"
    yield f"{machine.kernel}, huge pages {machine.huge_pages}, {machine.threads} thread."
    for flag in result.flags or ("none",):
        yield f"\nFlag: {flag}"
    yield "\n```\npython bench/peers/prepare.py\npython bench/peers/measure.py\n```"


def _remarks(parity: list[float]) -> Iterator[str]:
    """Say what a reader must know to judge the rows, from the files themselves."""
    yield (
        f"- The student's Hugging Face folder ({_bytes(STUDENT) / 1e6:.1f} MB, fp32) gives our student's\n"
        f"  token ids, and its logits within {parity[1]:.1g}, on {parity[0]:.0f} texts; every export starts\n"
        "  from it."
    )
    owners: dict[str, list[str]] = {}
    for entry in ENTRIES:
        if entry.is_wrapped:
            model = next(iter(sorted([*entry.folder.rglob("*.onnx"), *entry.folder.rglob("*.bin")])))
            owners.setdefault(digest_file(model), []).append(entry.name)
    for names in owners.values():
        if len(names) > 1:
            yield f"- The files of {' and '.join(names)} are the same, byte for byte."
    yield (
        "- sentence-transformers has no call of its own for plain classification: its cross-encoder is the\n"
        "  class for sequence classification, and takes a single text, too. It calibrates on the texts that\n"
        "  ours does, each padded to 384 tokens."
    )
    yield (
        "- Peers keep their defaults but for the thread count, and for OpenVINO's pinning, which would put\n"
        "  its thread on the first core whatever the process may use. So what is left in floats runs\n"
        "  in bf16 there, OpenVINO's default on this CPU, and in fp32 in ours."
    )


def _versions(python: str) -> str:
    code = (
        "import importlib.metadata as m, sys\n"
        "found = {d.metadata['Name'].lower(): d.version for d in m.distributions()}\n"
        "print(', '.join(f'{n} {found[n]}' for n in sys.argv[1:] if n in found))"
    )
    done = subprocess.run([python, "-c", code, *_LIBRARIES], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _row(result: BenchResult, entry: Entry, truth: list[str]) -> str:
    name, reference = entry.name, ours(entry.engine)
    ratios = ["1", "1"]
    cold = result.cold_start_ms(name)
    assert cold is not None
    if entry is not reference:
        ratios = [_times(result.ratio(name, reference.name, q)) for q in (0.5, 0.95)]
    cells = [
        name,
        entry.engine,
        *(_ms(result.percentile(name, q)) for q in (0.5, 0.95)),
        *ratios,
        f"{cold.estimate:.0f}",
        f"{result.peak_rss_bytes(name) / 1e6:.0f}",
        f"{_bytes(entry.folder) / 1e6:.1f}",
        *_quality(entry, truth),
    ]
    return f"| {' | '.join(cells)} |"


def _quality(entry: Entry, truth: list[str]) -> tuple[str, str]:
    """Return accuracy over the rows in scope, and the drop against the fp32 student."""
    rows = np.array([label != "oos" for label in truth])
    right = np.array(truth)[rows]
    wanted, got = (
        np.array(json.loads(path.read_text(encoding="utf-8")))[rows] == right
        for path in (answers_file(entry).with_name("student.json"), answers_file(entry))
    )
    drop = paired_drop("fp32", wanted, got)
    return f"{got.mean():.2%}"[
        :-1
    ], f"{100 * drop.estimate:+.2f} ({100 * drop.low:+.2f} to {100 * drop.high:+.2f})"


def _bytes(folder: Path) -> int:
    files = (file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return sum(file.stat().st_size for file in files)


def _ms(interval: Interval | None) -> str:
    assert interval is not None
    return f"{interval.estimate / 1e6:.3f} ({interval.low / 1e6:.3f} to {interval.high / 1e6:.3f})"


def _times(interval: Interval | None) -> str:
    assert interval is not None
    return f"{interval.estimate:.2f} ({interval.low:.2f} to {interval.high:.2f})"


if __name__ == "__main__":
    main()
