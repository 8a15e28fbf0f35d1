"""How much a count of instructions differs from process to process, beside a busy neighbour.

    edgekd run bench/studies/clinc150.yaml                 # makes the artifacts,
    edgekd run bench/studies/banking77.yaml                # the 2-layer ones
    python bench/counting.py                               # 20 counts of each; run it again to go on
    python bench/counting.py --variant static --runs 1     # one count more of one artifact
    python bench/counting.py --table                       # prints the table, as Markdown

Every count is `count_instructions`: a fresh process that loads, warms up and answers the same texts.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import tempfile
from pathlib import Path

from studied import HERE, find_artifact
from verdicts import neighbour, read_lines, texts_of

from edgekd.measure.counting.count import count_instructions
from edgekd.measure.counting.result import InstructionCount
from edgekd.measure.subject import Subject

FILE = HERE.parent / "docs" / "results" / "counting.jsonl"
RUNS = 20
VARIANTS = {
    "static": ("clinc150", "static-256.onnxruntime.int8-dynamic"),
    "2-layer": ("banking77", "cut-2l.onnxruntime.int8-dynamic"),
}


def artifact_of(variant: str) -> Path:
    """Find the newest artifact of a variant among those of its study."""
    study, name = VARIANTS[variant]
    return find_artifact(name, study=study)


def count_once(variant: str, number: int) -> InstructionCount:
    """Count one artifact in one process, beside a neighbour that keeps a core busy half the time."""
    subject = Subject(variant, "edgekd.serving.subject:open_subject", (str(artifact_of(variant)), "1"))
    with tempfile.TemporaryDirectory() as kept, neighbour("busy", number):
        return count_instructions(subject, texts_of("0.6 ms"), Path(kept))


def run_study(file: Path, variants: tuple[str, ...], runs: int) -> None:
    """Do up to `runs` counts of each variant that are not done yet, one variant after the other in turn."""
    done = {variant: sum(line["subject"] == variant for line in read_lines(file)) for variant in variants}
    file.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(runs):
        for variant in variants:
            if done[variant] >= RUNS:
                continue
            count = count_once(variant, done[variant])
            done[variant] += 1
            with file.open("a", encoding="utf-8") as out:
                out.write(json.dumps(dataclasses.asdict(count)) + "\n")
            print(
                f"{variant} {done[variant]} of {RUNS}: {count.per_call:,} a call, {count.seconds:.1f} s",
                flush=True,
            )


def print_table(file: Path) -> None:
    """Print what was counted, a row a variant; CV is the coefficient of variation over processes."""
    counts = [InstructionCount(**line) for line in read_lines(file)]  # type: ignore[arg-type]
    columns = ("artifact", "counts", "instructions a call", "CV", "total", "CV", "most over least", "seconds")
    print(f"| {' | '.join((*columns, 'times as long'))} |")
    print(f"| {' | '.join('---' for _ in range(len(columns) + 1))} |")
    for variant in VARIANTS:
        own = [count for count in counts if count.subject == variant]
        if len(own) < 2:
            continue
        calls, totals = [count.per_call for count in own], [count.total for count in own]
        cells = (
            variant,
            str(len(own)),
            f"{statistics.median(calls):,.0f}",
            f"{spread(calls):.4%}",
            f"{statistics.median(totals):,.0f}",
            f"{spread(totals):.4%}",
            f"{max(totals) / min(totals) - 1:.4%}",
            f"{statistics.median(count.seconds for count in own):.1f}",
            f"{statistics.median(count.slowdown for count in own):.0f}",
        )
        print(f"| {' | '.join(cells)} |")
    for note in sorted(
        {note.partition(": ")[2] for count in counts for note in count.notes if " it took " not in note}
    ):
        print(f"\n- {note}")


def spread(values: list[int]) -> float:
    """Return the coefficient of variation."""
    return statistics.stdev(values) / statistics.mean(values)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--file", type=Path, default=FILE)
    parser.add_argument("--variant", choices=VARIANTS)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    if arguments.table:
        print_table(arguments.file)
    else:
        run_study(
            arguments.file, (arguments.variant,) if arguments.variant else tuple(VARIANTS), arguments.runs
        )
