"""Measures subjects side by side: rounds of fresh processes that take turns on the same core.

In each round every subject gets a fresh process. All are pinned alike, and load and warm up one after the
other. Then they take turns in blocks of some ten milliseconds, in palindromes (A B C C B A, then rotated)
so that a linear drift falls on all alike; only one runs at a time and this process sleeps. Blocks, and not
calls, take turns, because calls that alternate one by one find the caches cold.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgekd.errors import BadInputError, MeasurementError
from edgekd.measure.audit import audit_answers, check_expected
from edgekd.measure.bench_file import FILE_NAME, save_bench
from edgekd.measure.device import Device, ThisMachine
from edgekd.measure.environment import Environment
from edgekd.measure.noise import find_flags
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.process_bench import Conditions, ProcessBench, SubjectBench
from edgekd.measure.result import BenchResult
from edgekd.measure.round import Bench, Turns
from edgekd.measure.subject import Subject

# All processes of a round are alive together, each with its model in memory.
MAX_SUBJECTS = 24


def measure_subjects(
    subjects: Sequence[Subject],
    inputs: Sequence[str],
    folder: Path,
    plan: MeasurePlan,
    on_progress: Callable[[float, str], None] | None = None,
    *,
    device: Device | None = None,
    expected: Mapping[str, Sequence[str]] | None = None,
) -> BenchResult:
    """Time subjects on the same inputs, and keep every sample.

    Takes about rounds x subjects x (seconds + loading, 64 checked answers and warm-up). An earlier
    measurement in `folder` is replaced. `bench.json` is written after every round, so a run that is cut off
    keeps the finished ones; it then says so in its flags. With `plan.precision` rounds are added until the
    p95 ratio to the first subject (alone: its own p95) is known as tightly as asked, or the budget ends.

    Args:
        subjects: what is measured; their processes start in rotated order.
        inputs: texts; each process starts with the first one, then walks a permutation that differs by
            round and is the same for every subject.
        folder: gets `bench.json`, `latency/` (samples and answers) and `stderr/`.
        plan: how much is measured.
        on_progress: is told the share that is done and what comes next.
        device: where the rounds run; this machine unless told.
        expected: the scored answer (`repr`) to each input, for the subjects that have them.

    Raises:
        MeasurementError: if a process crashes, hangs, raises or answers None, or a timed answer is not the
            expected one. No process is left behind.

    Example:
        >>> plan = MeasurePlan(rounds=2, seconds=0.02)
        >>> subjects = [Subject("upper", "operator:methodcaller", ("upper",))]
        >>> result = measure_subjects(subjects, ["a text"], tmp_path, plan)  # doctest: +SKIP
        >>> result.percentile("upper", 0.5)  # doctest: +SKIP
    """
    session = open_session(subjects, inputs, folder, plan, device=device)
    began = time.monotonic()
    while True:
        done = session.rounds
        if on_progress:
            on_progress(
                min(done, plan.rounds) / max(plan.rounds, done + 1), f"round {done + 1} of {plan.rounds}"
            )
        result = session.run_round(expected)
        spent = time.monotonic() - began
        if done + 1 < plan.rounds:
            continue
        if plan.precision is None or spent * (done + 2) / (done + 1) > plan.budget_seconds:
            break
        if _spread(result) <= plan.precision:
            break
    if on_progress:
        on_progress(1.0, "measured")
    return result


class Session:
    """A measurement that goes on: `run_round` adds one round to the result and saves it."""

    def __init__(self, bench: Bench, device: Device, environment: Environment) -> None:
        self._bench = bench
        self._device = device
        self._environment = environment
        self._done: list[list[ProcessBench]] = [[] for _ in bench.subjects]
        self._conditions: list[Conditions] = []

    @property
    def rounds(self) -> int:
        """How many rounds are finished."""
        return len(self._conditions)

    def run_round(
        self,
        expected: Mapping[str, Sequence[str]] | None = None,
        *,
        limit_seconds: float = math.inf,
    ) -> BenchResult:
        """Run one round more, check its answers, save and return the result so far.

        Raises:
            MeasurementError: as a round does; OutOfTimeError after `limit_seconds`.
        """
        bench = replace(self._bench, limit_seconds=limit_seconds)
        processes, conditions = self._device.run_round(bench, self.rounds)
        for subject, process in zip(bench.subjects, processes, strict=True):
            if expected and subject.name in expected:
                check_expected(subject.name, bench.folder / process.answers, expected[subject.name])
        for so_far, process in zip(self._done, processes, strict=True):
            so_far.append(process)
        self._conditions.append(conditions)
        result = self._result()
        save_bench(result)
        return result

    def _result(self) -> BenchResult:
        bench = self._bench
        everyone = [process for processes in self._done for process in processes]
        result = BenchResult(
            environment=self._environment,
            plan=bench.plan,
            overhead_ns=float(np.median([process.overhead_ns for process in everyone])),
            loop_ns=float(np.median([process.loop_ns for process in everyone])),
            inputs_sha256=hashlib.sha256(json.dumps(bench.inputs).encode()).hexdigest(),
            inputs=len(bench.inputs),
            subjects=tuple(
                SubjectBench(subject.name, subject.factory, subject.args, subject.python, tuple(processes))
                for subject, processes in zip(bench.subjects, self._done, strict=True)
            ),
            conditions=tuple(self._conditions),
            flags=(),
            folder=bench.folder,
        )
        varied = () if len(set(bench.inputs)) > 1 else ("one text only: give texts that vary in length",)
        return result.with_flags((*find_flags(result), *audit_answers(result), *varied))


def open_session(
    subjects: Sequence[Subject],
    inputs: Sequence[str],
    folder: Path,
    plan: MeasurePlan,
    *,
    turns: Turns = "by time",
    device: Device | None = None,
) -> Session:
    """Make the folder ready and choose the cores; what an earlier measurement left there goes."""
    _check(subjects, inputs)
    clear_folder(folder, FILE_NAME)
    device = device or ThisMachine()
    cores = device.quiet_cores(plan.threads)
    bench = Bench(folder, plan, tuple(subjects), tuple(inputs), cores, turns)
    return Session(bench, device, device.read_environment(plan.threads))


def _spread(result: BenchResult) -> float:
    """Return the widest relative half-width among what is to be known tightly; infinite where unknown."""
    first, *others = (subject.name for subject in result.subjects)
    found = [result.ratio(name, first, 0.95) for name in others] or [result.percentile(first, 0.95)]
    return max(
        (entry.high - entry.low) / 2 / entry.estimate if entry is not None else np.inf for entry in found
    )


def _check(subjects: Sequence[Subject], inputs: Sequence[str]) -> None:
    """Say why this cannot be measured, if it cannot."""
    if not subjects or not inputs:
        raise BadInputError(f"nothing to measure: {len(subjects)} subjects on {len(inputs)} inputs")
    if len(subjects) > MAX_SUBJECTS:
        raise BadInputError(
            f"{len(subjects)} subjects, at most {MAX_SUBJECTS} may be in memory together: measure in parts, "
            "with the same reference in each"
        )
    stems = [subject.file_stem.lower() for subject in subjects]
    for position, stem in enumerate(stems):
        first = stems.index(stem)
        if first < position:
            raise BadInputError(
                f"subjects {subjects[first].name!r} and {subjects[position].name!r} "
                "need names that differ more"
            )


def clear_folder(folder: Path, file_name: str) -> None:
    """Make a folder ready; what an earlier measurement left there, its `file_name` too, goes."""
    try:
        (folder / file_name).unlink(missing_ok=True)
        for name, patterns in (("latency", ("*.npy", "*.npy.tmp", "*.json")), ("stderr", ("*.log",))):
            (folder / name).mkdir(parents=True, exist_ok=True)
            for file in (file for pattern in patterns for file in (folder / name).glob(pattern)):
                file.unlink()
    except OSError as error:
        raise MeasurementError(f"{folder}: cannot hold a measurement ({error})") from error
