"""Measures subjects side by side: rounds of fresh processes that take turns on the same core.

In each round every subject gets a fresh process. All are pinned alike, and load and warm up one after the
other. Then they take turns in blocks of some ten milliseconds, in palindromes (A B C C B A, then rotated)
so that a linear drift falls on all alike; only one runs at a time and this process sleeps. Blocks, and not
calls, take turns, because calls that alternate one by one find the caches cold.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekd.errors import BadInputError, MeasurementError
from edgekd.measure.bench_file import FILE_NAME, save_bench
from edgekd.measure.counters import read_core_ticks
from edgekd.measure.environment import Environment, quiet_cores, read_environment
from edgekd.measure.noise import find_flags
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.process import Child
from edgekd.measure.process_bench import (
    ColdStart,
    Conditions,
    Memory,
    ProcessBench,
    Scheduling,
    SubjectBench,
)
from edgekd.measure.result import BenchResult
from edgekd.measure.samples import read_samples, trim_samples
from edgekd.measure.subject import Subject

# All processes of a round are alive together, each with its model in memory.
MAX_SUBJECTS = 16
FINISH_SECONDS = 30.0
_FIRST_INPUT, _INPUTS = ".first-input.txt", ".inputs.json"


def measure_subjects(
    subjects: Sequence[Subject],
    inputs: Sequence[str],
    folder: Path,
    plan: MeasurePlan,
    on_progress: Callable[[float, str], None] | None = None,
) -> BenchResult:
    """Time subjects on the same inputs, and keep every sample.

    Takes about rounds x subjects x (seconds + loading, 64 checked answers and warm-up). An earlier
    measurement in `folder` is replaced. `bench.json` is written after every round, so a run that is cut off
    keeps the finished ones; it then says so in its flags.

    Args:
        subjects: what is measured; their processes start in rotated order.
        inputs: texts; each process starts with the first one, then walks a permutation that differs by
            round and is the same for every subject.
        folder: gets `bench.json`, `latency/` (samples) and `stderr/` (what a process wrote, if it did).
        plan: how much is measured.
        on_progress: is told the share that is done and what comes next.

    Raises:
        MeasurementError: if a process crashes, hangs, raises or answers None. No process is left behind.

    Example:
        >>> plan = MeasurePlan(rounds=2, seconds=0.02)
        >>> subjects = [Subject("upper", "operator:methodcaller", ("upper",))]
        >>> result = measure_subjects(subjects, ["a text"], tmp_path, plan)  # doctest: +SKIP
        >>> result.percentile("upper", 0.5)  # doctest: +SKIP
    """
    stems = _check(subjects, inputs)
    _clear(folder)
    bench = _Bench(folder, plan, list(inputs), quiet_cores(plan.threads), read_environment(plan.threads))
    done: list[list[ProcessBench]] = [[] for _ in subjects]
    conditions: list[Conditions] = []
    result: BenchResult | None = None
    try:
        for number in range(plan.rounds):
            if on_progress:
                on_progress(number / plan.rounds, f"round {number + 1} of {plan.rounds}")
            processes, seen = _measure_round(bench, subjects, stems, number)
            for so_far, process in zip(done, processes, strict=True):
                so_far.append(process)
            conditions.append(seen)
            result = _result(bench, subjects, done, conditions)
            save_bench(result)
    finally:
        for name in (_FIRST_INPUT, _INPUTS):
            (folder / name).unlink(missing_ok=True)
    assert result is not None
    if on_progress:
        on_progress(1.0, "measured")
    return result


@dataclass(frozen=True)
class _Bench:
    """What stays the same over the rounds."""

    folder: Path
    plan: MeasurePlan
    inputs: list[str]
    cores: tuple[int, ...]
    environment: Environment


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


def _measure_round(
    bench: _Bench, subjects: Sequence[Subject], stems: Sequence[str], number: int
) -> tuple[list[ProcessBench], Conditions]:
    folder, plan = bench.folder, bench.plan
    (folder / _FIRST_INPUT).write_text(bench.inputs[0], encoding="utf-8", errors="surrogatepass", newline="")
    order = np.random.default_rng((plan.seed, number)).permutation(len(bench.inputs)).tolist()
    (folder / _INPUTS).write_text(json.dumps({"texts": bench.inputs, "order": order}), encoding="utf-8")
    files = [(f"latency/{stem}-{number}.npy", f"latency/{stem}-{number}-warmup.npy") for stem in stems]
    children = [
        Child(subject, folder / "stderr" / f"{stem}-{number}.log")
        for subject, stem in zip(subjects, stems, strict=True)
    ]
    with _all_killed(children):
        for position in start_order(len(children), number):
            samples, warmup = (folder / name for name in files[position])
            children[position].start(
                plan, bench.cores, folder / _FIRST_INPUT, folder / _INPUTS, samples, warmup
            )
        before = read_core_ticks()
        _take_turns(children, plan)
        after = read_core_ticks()
        reports = [child.finish(FINISH_SECONDS) for child in children]
    processes = []
    for child, (samples_name, warmup_name), report in zip(children, files, reports, strict=True):
        trim_samples(folder / samples_name)
        processes.append(_process_bench(number, child, folder, samples_name, warmup_name, report))
    cpu_ns = sum(process.scheduling.cpu_ns for process in processes)
    return processes, _conditions(number, bench.cores, before, after, cpu_ns)


def _take_turns(children: Sequence[Child], plan: MeasurePlan) -> None:
    """Let the processes run block by block until each has had its seconds."""
    block_ns, wanted_ns = int(plan.block_ms * 1e6), int(plan.seconds * 1e9)
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


def _process_bench(
    number: int, child: Child, folder: Path, samples: str, warmup: str, report: dict[str, Any]
) -> ProcessBench:
    return ProcessBench(
        round=number,
        samples=samples,
        warmup=warmup,
        count=len(read_samples(folder / samples)),
        timed_ns=child.timed_ns,
        blocks=child.blocks,
        cold_start=ColdStart(**report["cold_start"]),
        memory=Memory(**report["memory"]),
        scheduling=Scheduling(**report["scheduling"]),
        answers_sha256=_digest(child.answers),
        overhead_ns=report["overhead_ns"],
        loop_ns=report["loop_ns"],
    )


def _conditions(
    number: int,
    cores: Sequence[int],
    before: dict[int, tuple[int, int, int]],
    after: dict[int, tuple[int, int, int]],
    cpu_ns: int,
) -> Conditions:
    spent = np.array([np.subtract(after[core], before[core]) for core in cores]).sum(
        axis=0
    )  # busy, idle, stolen
    total, second = max(1, int(spent.sum())), os.sysconf("SC_CLK_TCK")
    others = max(0.0, int(spent[0]) - cpu_ns * second / 1e9)
    return Conditions(
        round=number,
        seconds=total / second / len(cores),
        load_average=os.getloadavg()[0],
        steal_share=int(spent[2]) / total,
        others_share=others / total,
    )


def _result(
    bench: _Bench,
    subjects: Sequence[Subject],
    done: Sequence[Sequence[ProcessBench]],
    conditions: Sequence[Conditions],
) -> BenchResult:
    everyone = [process for processes in done for process in processes]
    result = BenchResult(
        environment=bench.environment,
        plan=bench.plan,
        overhead_ns=float(np.median([process.overhead_ns for process in everyone])),
        loop_ns=float(np.median([process.loop_ns for process in everyone])),
        inputs_sha256=_digest(bench.inputs),
        inputs=len(bench.inputs),
        subjects=tuple(
            SubjectBench(subject.name, subject.factory, subject.args, tuple(processes))
            for subject, processes in zip(subjects, done, strict=True)
        ),
        conditions=tuple(conditions),
        flags=(),
        folder=bench.folder,
    )
    return result.with_flags(find_flags(result))


def _digest(texts: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(list(texts)).encode()).hexdigest()


def _check(subjects: Sequence[Subject], inputs: Sequence[str]) -> list[str]:
    """Return the subjects' file names, or say why this cannot be measured."""
    if not subjects or not inputs:
        raise BadInputError(f"nothing to measure: {len(subjects)} subjects on {len(inputs)} inputs")
    if len(subjects) > MAX_SUBJECTS:
        raise BadInputError(
            f"{len(subjects)} subjects, at most {MAX_SUBJECTS} may be in memory together: measure in parts, "
            "with the same reference in each"
        )
    stems = [subject.file_stem for subject in subjects]
    for position, stem in enumerate(stems):
        if stem.lower() in (earlier.lower() for earlier in stems[:position]):
            first = subjects[[s.lower() for s in stems].index(stem.lower())].name
            raise BadInputError(
                f"subjects {first!r} and {subjects[position].name!r} need names that differ more"
            )
    return stems


def _clear(folder: Path) -> None:
    """Make the folder ready; what an earlier measurement left there goes."""
    try:
        (folder / FILE_NAME).unlink(missing_ok=True)
        for name, pattern in (("latency", "*.npy"), ("latency", "*.npy.tmp"), ("stderr", "*.log")):
            (folder / name).mkdir(parents=True, exist_ok=True)
            for file in (folder / name).glob(pattern):
                file.unlink()
    except OSError as error:
        raise MeasurementError(f"{folder}: cannot hold a measurement ({error})") from error


@contextmanager
def _all_killed(children: Sequence[Child]) -> Iterator[None]:
    """Leave no process behind, whatever happens, an interrupt included."""
    try:
        yield
    finally:
        for child in children:
            child.kill()
