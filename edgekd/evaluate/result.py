"""What an evaluation found, per slice and overall."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from edgekd.errors import unknown_name
from edgekd.evaluate.record import Record
from edgekd.stats.interval import Interval


@dataclass(frozen=True)
class Drop(Record):
    """How much worse than its reference, on the same examples; shares, positive is worse.

    `low` and `high` are one-sided bounds, each at `confidence`.
    """

    reference: str
    n: int
    lost: int
    gained: int
    estimate: float
    low: float
    high: float
    confidence: float


@dataclass(frozen=True)
class SliceResult(Record):
    """One slice; `margin` is a share. An empty slice has no value and no drops."""

    name: str
    tier: Literal["prove", "watch"]
    metric: Literal["accuracy", "recall"]
    margin: float
    n: int
    value: Interval | None
    drops: tuple[Drop, ...]

    def drop_from(self, reference: str) -> Drop | None:
        """Return the drop against one reference; None where it was not compared."""
        return next((drop for drop in self.drops if drop.reference == reference), None)


@dataclass(frozen=True)
class Calibration(Record):
    """Whether probabilities mean what they say; see `edgekd.evaluate.calibration`."""

    ece: float
    brier: float
    confident_error_rate: float
    n: int


@dataclass(frozen=True)
class Bin(Record):
    """Rows of like top probability: how many, how many of them right, the mean of what was said."""

    n: int
    right: int
    probability: float


@dataclass(frozen=True)
class Reliability(Record):
    """Of one slice, in bins of equal mass; see `edgekd.evaluate.reliability`.

    `ece_if_calibrated` is what a perfectly calibrated model would show on so few rows.
    """

    name: str
    n: int
    ece: float
    ece_if_calibrated: float
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class EvalResult(Record):
    """Quality of one artifact, named by its digest."""

    subject: str
    n: int
    slices: tuple[SliceResult, ...]
    calibration: Calibration
    reliability: tuple[Reliability, ...] = ()

    def slice_named(self, name: str) -> SliceResult:
        """Return one slice by its name.

        Raises:
            KeyError: with near matches, if there is none.
        """
        for result in self.slices:
            if result.name == name:
                return result
        raise KeyError(unknown_name("slice", name, (result.name for result in self.slices)))

    def worst_drop(self, reference: str = "teacher") -> tuple[SliceResult, Drop] | None:
        """Return the slice with the largest estimated drop, the first of equals."""
        return worst_drop(self.slices, reference)


def worst_drop(slices: Iterable[SliceResult], reference: str) -> tuple[SliceResult, Drop] | None:
    """Return the slice with the largest estimated drop, the first of equals."""
    pairs = [(s, drop) for s in slices if (drop := s.drop_from(reference)) is not None]
    return max(pairs, key=lambda pair: pair[1].estimate, default=None)
