"""Give every reader inputs that are nearly right: does each end in a result or in one line?

    python bench/fuzz.py --inputs 100000 --out docs/results/fuzz.md

An input is drawn from a seed of its own, its reader's name and its number, so that any of them can be drawn
again (`--again "CSV" 17`). A batch of inputs is read in a process of its own, in a folder that is emptied for
each; what became of it is one line of the file beside the table, and batches that stand there are not read
again. A process that dies, or does not end an input within 60 s, is a fault of that input. Exits with 1 where
there is a fault.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from fuzzing.artifacts import make_files
from fuzzing.every import READERS
from fuzzing.reader import HUNG_SECONDS, Reader, ask
from fuzzing.rows import make_data

BATCH = 250
_DEAD_SECONDS = 60.0
_KINDS = ("result", "refused", "silent success", "defect", "no line", "slow", "hang", "died")


@dataclass(frozen=True)
class Batch:
    """Some inputs of one reader, by their numbers."""

    reader: str
    first: int
    last: int

    @property
    def key(self) -> str:
        """Names it in the file of progress."""
        return f"{self.reader}/{self.first}-{self.last}"


def draw(reader: Reader, number: int) -> Any:
    """Draw one input again."""
    return reader.make(Random(f"{reader.name}/{number}"))


def read_batch(batch: Batch, place: str, pipe: Any) -> None:
    """Read a batch's inputs, in a process of its own; each outcome is sent as it comes."""
    reader = next(one for one in READERS if one.name == batch.reader)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)  # what libraries say of their own accord
    folder = Path(place)
    for number in range(batch.first, batch.last):
        given = draw(reader, number)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        outcome = ask(reader, given, folder)
        pipe.send((number, outcome.kind, outcome.words[:300], outcome.seconds, bool(given.broken)))
    pipe.close()


def run_batch(batch: Batch, place: Path) -> dict[str, Any]:
    """Have a batch read; go on behind an input at which the process dies or hangs."""
    counts: Counter[str] = Counter()
    faults, slowest, broken = [], 0.0, 0
    first = batch.first
    while first < batch.last:
        ours, theirs = multiprocessing.Pipe(duplex=False)
        part = Batch(batch.reader, first, batch.last)
        process = multiprocessing.get_context("fork").Process(
            target=read_batch, args=(part, str(place), theirs)
        )
        process.start()
        theirs.close()
        number = first
        while number < batch.last:
            began = time.monotonic()
            try:
                if not ours.poll(_DEAD_SECONDS):
                    raise EOFError
                number, kind, words, seconds, is_broken = ours.recv()
            except EOFError:
                kind = "hang" if time.monotonic() - began >= HUNG_SECONDS else "died"
                process.kill()
                process.join()
                words, seconds, is_broken = f"exit code {process.exitcode}", 0.0, False
            counts[kind] += 1
            slowest, broken = max(slowest, seconds), broken + is_broken
            if kind not in ("result", "refused"):
                faults.append([number, kind, words])
            number += 1
            if kind in ("hang", "died"):
                break
        process.join()
        first = number
    return {
        "key": batch.key,
        "reader": batch.reader,
        "counts": dict(counts),
        "broken": broken,
        "slowest": slowest,
        "faults": faults,
    }


def list_batches(inputs: int) -> Iterator[Batch]:
    """Share the inputs among all readers, in rounds of one batch each."""
    each = -(-inputs // len(READERS))
    for first in range(0, each, BATCH):
        for reader in READERS:
            yield Batch(reader.name, first, min(first + BATCH, each))


def warm_up() -> None:
    """Import what readers import when they are first used: each batch's process starts from here."""
    import duckdb
    import onnx
    import onnxruntime
    import pyarrow.csv
    import pyarrow.parquet
    import tokenizers

    for module in (duckdb, onnx, onnxruntime, pyarrow.csv, pyarrow.parquet, tokenizers):
        assert module.__name__
    for head in ("classify", "rank", "score"):
        make_files(head)
    make_data()


def run_all(inputs: int, progress: Path, seconds: float, processes: int) -> list[dict[str, Any]]:
    """Run every batch that the file of progress has not, until time is up."""
    progress.parent.mkdir(parents=True, exist_ok=True)
    found = [json.loads(line) for line in progress.read_text().splitlines()] if progress.exists() else []
    done = {entry["key"] for entry in found}
    asked = [batch for batch in list_batches(inputs) if batch.key not in done]
    end = time.monotonic() + seconds
    with (
        tempfile.TemporaryDirectory() as temporary,
        ThreadPoolExecutor(processes) as pool,
        progress.open("a") as file,
    ):

        def work(batch: Batch) -> dict[str, Any] | None:
            if time.monotonic() > end:
                return None
            return run_batch(batch, Path(temporary) / f"{batch.reader.replace('/', ' ')}-{batch.first}")

        for entry in pool.map(work, asked):
            if entry is not None:
                found.append(entry)
                file.write(json.dumps(entry) + "\n")
                file.flush()
    return found


def write_table(found: list[dict[str, Any]], asked: int) -> tuple[str, int]:
    """Return the table and the number of faults."""
    lines = [
        "# Inputs that nobody should give",
        "",
        "Each reader is given inputs that are nearly right: documents with a value replaced or moved,",
        "bytes damaged, and inputs that no reader may take (known broken). Each must end in a result or in",
        "one line with exit code 2 (1 for what a registry keeps), no known broken one in a result, and none",
        f"may take over {HUNG_SECONDS:.0f} s.",
        "",
        "| reader | inputs | known broken | results | refused in one line | silent | defects | slow or hung "
        "| died | slowest, s |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    whole: Counter[str] = Counter()
    known = 0
    for reader in READERS:
        mine = [entry for entry in found if entry["reader"] == reader.name]
        counts = sum((Counter(entry["counts"]) for entry in mine), Counter())
        broken = sum(entry["broken"] for entry in mine)
        slowest = max((entry["slowest"] for entry in mine), default=0.0)
        whole += counts
        known += broken
        lines.append(_row(reader.name, counts, broken, f"{slowest:.2f}"))
    lines += [_row("all", whole, known, ""), ""]
    faults = [(entry["reader"], *fault) for entry in found for fault in entry["faults"]]
    if faults:
        lines += [
            "Faults:",
            "",
            *(f"- {reader} {number}: {kind}: `{words}`" for reader, number, kind, words in faults[:50]),
            "",
        ]
    lines += [f"{asked:,} inputs were asked for, {sum(whole.values()):,} were read.", ""]
    lines += [f"`python bench/fuzz.py --inputs {asked} --out docs/results/fuzz.md`", ""]
    return "\n".join(lines), len(faults)


def _row(name: str, counts: Counter[str], broken: int, slowest: str) -> str:
    slow = counts["slow"] + counts["hang"]
    cells = [
        sum(counts.values()),
        broken,
        *(counts[kind] for kind in ("result", "refused", "silent success")),
    ]
    cells += [counts["defect"] + counts["no line"], slow, counts["died"]]
    return f"| {name} | {' | '.join(f'{cell:,}' for cell in cells)} | {slowest} |"


def show_again(name: str, number: int) -> None:
    """Draw one input again, and say what becomes of it, with the traceback of an error."""
    reader = next(one for one in READERS if one.name == name)
    given = draw(reader, number)
    with tempfile.TemporaryDirectory() as folder:
        print(given)
        print(ask(reader, given, Path(folder)))
        reader.read(given, Path(folder))


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--out", type=Path, help="the table; a line per batch lies beside it, in .jsonl")
    parser.add_argument("--seconds", type=float, default=1e9, help="begin no batch after so many")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--again", nargs=2, metavar=("READER", "NUMBER"), help="draw and read one input again"
    )
    asked = parser.parse_args()
    if asked.again:
        show_again(asked.again[0], int(asked.again[1]))
        return
    progress = asked.out.with_suffix(".jsonl") if asked.out else Path(tempfile.mkdtemp()) / "fuzz.jsonl"
    warm_up()
    found = run_all(asked.inputs, progress, asked.seconds, asked.processes)
    table, faults = write_table(found, asked.inputs)
    if asked.out:
        asked.out.write_text(table, encoding="utf-8")
    print(table)
    sys.exit(int(faults > 0))


if __name__ == "__main__":
    main()
