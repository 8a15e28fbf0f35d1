"""What a training's log tells, epoch by epoch, and how its figures move."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeVar

from edgekd.distill.diagnosis.score import best_epoch
from edgekd.distill.logs.event import Event
from edgekd.distill.logs.live_events import ShadowCompare
from edgekd.distill.logs.profile import Bottleneck, join_profiles, name_bottleneck
from edgekd.distill.logs.training_events import (
    ClassSliceEval,
    DominatingExamples,
    EpochSummary,
    SystemProfile,
    TrainStep,
)

_E = TypeVar("_E", bound=Event)

Series = tuple[tuple[int, float], ...]
"""Pairs of epoch and value, in order of epochs; an epoch without the figure is left out."""

WINDOW = 2
"""Epochs over which a figure is said to fall or rise: one alone swings by chance."""
BAND = 0.01
"""Relative change of a loss within which it is flat: what the loss rule asks of an improvement."""

_SOFT = "kd_"
"""How names of terms against a teacher's outputs begin in the log."""

# What a summary holds, by what the steps call it. A step's hard_ce is not the same: it counts rows without
# a label as 0.
_OF_STEPS = {
    "train_kd_kl_t2": "kd_kl_t2",
    "train_feature_mse": "feature_mse",
    "train_attention_mse": "attention_mse",
}


@dataclass(frozen=True)
class History:
    """One training, as far as its log tells."""

    student: str
    teacher: str
    task: str
    epochs: tuple[EpochSummary, ...]
    steps: tuple[TrainStep, ...] = ()
    classes: tuple[ClassSliceEval, ...] = ()
    profiles: tuple[SystemProfile, ...] = ()
    dominating: DominatingExamples | None = None
    shadow: tuple[ShadowCompare, ...] = ()

    @property
    def best(self) -> EpochSummary:
        """The epoch that is best by the promotion score; the last where none may be promoted."""
        number = best_epoch(self.epochs)
        return next((epoch for epoch in self.epochs if epoch.epoch == number), self.epochs[-1])

    def series(self, name: str) -> Series:
        """Return a figure of the epoch summaries; a training loss that they lack is the mean of its steps."""
        found = tuple((e.epoch, value) for e in self.epochs if (value := getattr(e, name)) is not None)
        return found or self._of_steps(name)

    @property
    def errors(self) -> tuple[str, Series]:
        """What is bad of the answers on held-out rows, and its name.

        Hallucinations, or a figure that epochs are chosen by and that should be low, or answers not right.
        """
        if found := self.series("hallucination_rate"):
            return "hallucination rate", found
        chosen_by = self.epochs[-1].chosen_by
        if chosen_by is not None and not self.epochs[-1].is_higher_better:
            return chosen_by.replace("_", " "), self.series("chosen_value")
        right, name = self.series("val_accuracy"), "validation error rate"
        if not right:
            right, name = self.series("teacher_preference_match"), "disagreement with the teacher"
        return name, tuple((epoch, 1 - rate) for epoch, rate in right)

    @property
    def profile(self) -> SystemProfile | None:
        """Where the time of the whole training went; None where its log does not tell."""
        return join_profiles(self.profiles) if self.profiles else None

    @property
    def bottleneck(self) -> Bottleneck | None:
        """What bounds the training; None where its log does not tell."""
        matches = bool(self.series("train_feature_mse"))
        return None if self.profile is None else name_bottleneck(self.profile, matches)

    @property
    def is_distilled(self) -> bool:
        """Whether there is a soft loss: a teacher is trained on targets alone."""
        return any(value > 0 for _, value in self.soft_losses)

    @property
    def soft_losses(self) -> Series:
        """The loss against the teacher's outputs: that of classes, or the one that the log has by name."""
        sums = [
            (epoch.epoch, [value for name, value in epoch.train_terms.items() if name.startswith(_SOFT)])
            for epoch in self.epochs
            if epoch.train_terms is not None
        ]
        found = tuple((number, math.fsum(values)) for number, values in sums if values)
        return found or self.series("train_kd_kl_t2")

    def _of_steps(self, name: str) -> Series:
        sums: dict[int, list[float]] = defaultdict(list)
        for step in self.steps if name in _OF_STEPS else ():
            if (value := getattr(step, _OF_STEPS[name])) is not None:
                sums[step.epoch].append(value)
        done = {epoch.epoch for epoch in self.epochs}
        return tuple((e, math.fsum(v) / len(v)) for e, v in sorted(sums.items()) if e in done)


def make_history(events: Iterable[Event]) -> History | None:
    """Gather one training's events; None where no epoch has ended. The last word on an epoch counts."""
    told = list(events)
    epochs = {epoch.epoch: epoch for epoch in _pick(told, EpochSummary)}
    if not epochs:
        return None
    last = epochs[max(epochs)]
    return History(
        student=last.student,
        teacher=last.teacher,
        task=last.task,
        epochs=tuple(epochs[number] for number in sorted(epochs)),
        steps=_pick(told, TrainStep),
        classes=_pick(told, ClassSliceEval),
        profiles=_pick(told, SystemProfile),
        dominating=next(reversed(_pick(told, DominatingExamples)), None),
        shadow=_pick(told, ShadowCompare),
    )


def _pick(events: list[Event], kind: type[_E]) -> tuple[_E, ...]:
    return tuple(event for event in events if isinstance(event, kind))


@dataclass(frozen=True)
class Trend:
    """How a figure moved over the last epochs."""

    name: str
    since: int
    last: int
    before: float
    now: float
    moves: Literal["falls", "is flat", "rises"]

    @property
    def change(self) -> float:
        """Relative change; positive has risen."""
        return (self.now - self.before) / self.before if self.before else 0.0

    def __str__(self) -> str:
        figures = f"{self.before:.4g} to {self.now:.4g}, epochs {self.since} to {self.last}"
        return f"{self.name} {self.moves} ({figures})"


def trend(name: str, series: Series, least: float = 0.0) -> Trend | None:
    """Say how a figure moved over the last `WINDOW` epochs, or as many as there are; None for one alone.

    It is flat within `BAND` of itself, and within `least` where that is more.

    >>> trend("loss", ((1, 2.0), (2, 1.5), (3, 1.0))).moves
    'falls'
    """
    if len(series) < 2:
        return None
    (since, before), (last, now) = series[-1 - min(WINDOW, len(series) - 1)], series[-1]
    moved = now - before
    if abs(moved) < max(BAND * abs(before), least) or moved == 0:
        return Trend(name, since, last, before, now, "is flat")
    return Trend(name, since, last, before, now, "falls" if moved < 0 else "rises")
