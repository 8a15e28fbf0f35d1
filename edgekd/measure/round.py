"""One round: a fresh process for each subject, all pinned alike, taking turns block by block.

Needs nothing but the standard library, because it also runs on devices where nothing is installed.
"""

from __future__ import annotations

import json
import math
import os
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edgekd.measure.counters import read_core_ticks
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.process import Child, Given, Made
from edgekd.measure.process_bench import (
    STAGES,
    ColdStart,
    Conditions,
    Memory,
    ProcessBench,
    Resident,
    Scheduling,
)
from edgekd.measure.subject import Subject

FINISH_SECONDS = 30.0
_FIRST_INPUT, _INPUTS = ".first-input.txt", ".inputs.json"

Turns = Literal["by time", "by calls"]
"""How long a turn is: the same time for each subject, or the same calls: then blocks pair up text by text."""


@dataclass(frozen=True)
class Bench:
    """What stays the same over the rounds of a measurement.

    Attributes:
        folder: gets `latency/` (samples and answers) and `stderr/` (what a process wrote, if it did).
        inputs: texts; a process starts with the first one, then walks a permutation that differs by round
            and is the same for every subject.
        cores: what all processes are pinned to.
        limit_seconds: when a round is ended, finished or not.
    """

    folder: Path
    plan: MeasurePlan
    subjects: tuple[Subject, ...]
    inputs: tuple[str, ...]
    cores: tuple[int, ...]
    turns: Turns = "by time"
    limit_seconds: float = math.inf


def start_order(count: int, number: int) -> list[int]:
    """Return in which order a round's processes start: rotated every other round, reversed in between."""
    order = [(position + number // 2) % count for position in range(count)]
    return order[::-1] if number % 2 else order


def block_orders(count: int) -> Iterator[list[int]]:
    """Yield palindromes over `count` subjects, rotated from one to the next, without end."""
    turn = 0
    while True:
        order = [(position + turn) % count for position in range(count)]
        yield order + order[::-1]
        turn += 1


def measure_round(bench: Bench, number: int) -> tuple[tuple[ProcessBench, ...], Conditions]:
    """Run one round; its files appear in the folder, and no process is left behind.

    Raises:
        MeasurementError: if a process crashes, hangs, raises or answers None.
        OutOfTimeError: if the round does not end within its limit.
    """
    until = time.monotonic() + bench.limit_seconds
    folder = bench.folder
    given = Given(folder / _FIRST_INPUT, folder / _INPUTS)
    files = [
        Made(
            *(Path(f"latency/{subject.file_stem}-{number}{end}") for end in (".npy", "-warmup.npy", ".json"))
        )
        for subject in bench.subjects
    ]
    children = [
        Child(subject, folder / "stderr" / f"{subject.file_stem}-{number}.log", until)
        for subject in bench.subjects
    ]
    try:
        _write_inputs(bench, given, number)
        with _all_killed(children):
            for position in start_order(len(children), number):
                made = Made(*(folder / name for name in files[position]))
                children[position].start(bench.plan, bench.cores, given, made)
            before = read_core_ticks()
            _take_turns(children, bench.plan, bench.turns)
            after = read_core_ticks()
            reports = [child.finish(FINISH_SECONDS) for child in children]
    finally:
        for path in given:
            path.unlink(missing_ok=True)
    processes = tuple(
        _process_bench(number, child, made, report)
        for child, made, report in zip(children, files, reports, strict=True)
    )
    cpu_ns = sum(process.scheduling.cpu_ns for process in processes)
    return processes, _conditions(number, bench.cores, before, after, cpu_ns)


def _write_inputs(bench: Bench, given: Given, number: int) -> None:
    order = list(range(len(bench.inputs)))
    random.Random(f"{bench.plan.seed} {number}").shuffle(order)
    given.first.write_text(bench.inputs[0], encoding="utf-8", errors="surrogatepass", newline="")
    given.inputs.write_text(json.dumps({"texts": bench.inputs, "order": order}), encoding="utf-8")


def _take_turns(children: Sequence[Child], plan: MeasurePlan, turns: Turns) -> None:
    """Let the processes run block by block until each has had its seconds."""
    block_ns, wanted_ns = int(plan.block_ms * 1e6), int(plan.seconds * 1e9)
    if turns == "by calls":
        _pair_turns(children, plan.timeout_seconds, block_ns, wanted_ns)
        return
    for order in block_orders(len(children)):
        for child in (children[position] for position in order):
            left_ns = wanted_ns - child.timed_ns
            if left_ns <= 0 or child.is_full:
                continue
            # The last block takes the rest: a sliver of a block would be mostly cold.
            budget_ns = left_ns if left_ns < 3 * block_ns // 2 else block_ns
            child.run_block(budget_ns, plan.timeout_seconds)
        if all(child.timed_ns >= wanted_ns or child.is_full for child in children):
            return


def _pair_turns(children: Sequence[Child], timeout_seconds: float, block_ns: int, wanted_ns: int) -> None:
    """Give every child the same number of calls a block, so that blocks of equal number pair up."""
    calls = max(1, block_ns // max(child.typical_ns for child in children))
    for order in block_orders(len(children)):
        for position in order:
            children[position].run_block(0, timeout_seconds, calls)
        if any(child.is_full for child in children):
            return
        if sum(child.timed_ns for child in children) >= wanted_ns * len(children):
            return


def _process_bench(number: int, child: Child, made: Made, report: dict[str, Any]) -> ProcessBench:
    return ProcessBench(
        round=number,
        samples=str(made.samples),
        warmup=str(made.warmup),
        answers=str(made.answers),
        timed_ns=child.timed_ns,
        blocks=child.blocks,
        cold_start=read_cold_start(report["cold_start"]),
        memory=read_memory(report["memory"]),
        scheduling=Scheduling(**report["scheduling"]),
        is_full=child.is_full,
        overhead_ns=report["overhead_ns"],
        loop_ns=report["loop_ns"],
        cache_ratio=report["cache_ratio"],
    )


def read_cold_start(report: dict[str, Any]) -> ColdStart:
    """Read what JSON holds of a cold start."""
    parts = tuple((str(name), int(ns)) for name, ns in report["parts"])
    return ColdStart(**{**report, "parts": parts})


def read_memory(report: dict[str, Any]) -> Memory:
    """Read what JSON holds of a process's memory."""
    return Memory(**{**report, **{stage: Resident(**report[stage]) for stage in STAGES}})


def _conditions(
    number: int,
    cores: Sequence[int],
    before: dict[int, tuple[int, int, int]],
    after: dict[int, tuple[int, int, int]],
    cpu_ns: int,
) -> Conditions:
    busy, idle, stolen = (sum(after[core][part] - before[core][part] for core in cores) for part in range(3))
    total, second = max(1, busy + idle + stolen), os.sysconf("SC_CLK_TCK")
    return Conditions(
        round=number,
        seconds=total / second / len(cores),
        load_average=os.getloadavg()[0],
        steal_share=stolen / total,
        others_share=max(0.0, busy - cpu_ns * second / 1e9) / total,
    )


@contextmanager
def _all_killed(children: Sequence[Child]) -> Iterator[None]:
    """Leave no process behind, whatever happens, an interrupt included."""
    try:
        yield
    finally:
        for child in children:
            child.kill()
