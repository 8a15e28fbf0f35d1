"""Throughput when all texts are there at once: texts per second, one by one or in batches."""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekd.errors import BadInputError
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.subject import Subject

if TYPE_CHECKING:  # the measured process imports this file for `open_batches`, and needs none of these
    from edgekd.measure.result import BenchResult
    from edgekd.stats.interval import Interval
    from edgekd.stats.percentiles import PerProcess

OFFLINE_PLAN = MeasurePlan(rounds=6, seconds=1.0)
_BATCHES = "batches.json"


@dataclass(frozen=True)
class Batching:
    """How texts are handed over together: to a method of what the factory returns, `size` at a time.

    The method takes a list of texts and returns as many answers, in anything that has a length.
    """

    method: str
    size: int

    def __post_init__(self) -> None:
        if not self.method.isidentifier():
            raise BadInputError(f"batching needs the name of a method, got {self.method!r}")
        if self.size < 1:
            raise BadInputError(f"a batch needs at least 1 text, got {self.size}")


@dataclass(frozen=True)
class OfflineResult:
    """Throughput of subjects measured side by side.

    Attributes:
        texts_per_call: how many texts each input of `result` stands for.
        result: the calls themselves; with batches, each is of one batch.
    """

    batching: Batching | None
    texts_per_call: tuple[int, ...]
    result: BenchResult

    def process_throughputs(self, name: str) -> PerProcess:
        """Return texts per second of wall time of each process apart, all between calls included."""
        import numpy as np

        sizes, calls = np.array(self.texts_per_call), self.result.samples(name)
        texts = np.array([sizes[samples.inputs].sum() for samples in calls], dtype=np.float64)
        seconds = np.array([process.timed_ns / 1e9 for process in self.result.subject(name).processes])
        rates: PerProcess = texts / seconds
        return rates

    def throughput(self, name: str) -> Interval:
        """Estimate texts per second: geometric mean over processes, Student's t on their logarithms."""
        from edgekd.stats.percentiles import log_t_interval

        return log_t_interval(self.process_throughputs(name), self.result.plan.confidence)

    def ratio(self, name: str, reference: str) -> Interval:
        """Estimate how many times the reference's throughput a subject's is, by rounds; above 1 is faster."""
        from edgekd.stats.percentiles import log_t_interval

        ratios = self.process_throughputs(name) / self.process_throughputs(reference)
        return log_t_interval(ratios, self.result.plan.confidence)


def measure_throughput(
    subjects: Sequence[Subject],
    inputs: Sequence[str],
    folder: Path,
    plan: MeasurePlan = OFFLINE_PLAN,
    batching: Batching | None = None,
) -> OfflineResult:
    """Let each subject answer text after text, or batch after batch, for `plan.seconds` in fresh processes.

    A round is one uninterrupted block a subject; `plan.block_ms` is not used. Batches are cut from the inputs
    in their order, the last one shorter where they do not come out even: sort the inputs by length first if
    that is how they will be batched. `folder` keeps what `measure_subjects` does, and the batches.

    Raises:
        MeasurementError: if a process crashes, hangs, raises, lacks the method or answers too little.

    Example:
        >>> subjects = [Subject("upper", "operator:methodcaller", ("upper",))]
        >>> found = measure_throughput(subjects, ["a text"], tmp_path)  # doctest: +SKIP
        >>> found.throughput("upper").estimate  # doctest: +SKIP
    """
    from edgekd.measure.session import measure_subjects

    whole = dataclasses.replace(plan, block_ms=plan.seconds * 1e3)
    if batching is None:
        return OfflineResult(None, (1,) * len(inputs), measure_subjects(subjects, inputs, folder, whole))
    batches = [list(inputs[start : start + batching.size]) for start in range(0, len(inputs), batching.size)]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder.absolute() / _BATCHES
    path.write_text(json.dumps(batches), encoding="utf-8")
    batched = [
        Subject(
            subject.name,
            f"{__name__}:open_batches",
            (str(path), batching.method, subject.factory, *subject.args),
        )
        for subject in subjects
    ]
    numbers = [str(number) for number in range(len(batches))]
    result = measure_subjects(batched, numbers, folder, whole)
    return OfflineResult(batching, tuple(map(len, batches)), result)


def open_batches(path: str, method: str, factory: str, *arguments: str) -> Callable[[str], Sized]:
    """Build a callable that answers a batch by its number; called in the measured process.

    Raises:
        TypeError: from the callable, where there are not as many answers as texts.
    """
    with Path(path).open(encoding="utf-8") as file:
        batches: dict[str, list[str]] = {str(number): batch for number, batch in enumerate(json.load(file))}
    module, _, function = factory.partition(":")
    answer_all: Callable[[list[str]], Sized]
    answer_all = getattr(getattr(importlib.import_module(module), function)(*arguments), method)

    def answer(number: str) -> Sized:
        batch = batches[number]
        answers = answer_all(batch)
        if len(answers) != len(batch):
            raise TypeError(f"{method} gave {len(answers)} answers to {len(batch)} texts")
        return answers

    return answer
