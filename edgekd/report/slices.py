"""One slice in a report: how it is judged, and every variant on it.

Base units as in `edgekd.report.view`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgekd.report.variants import CheckStatus
from edgekd.stats.interval import Interval


@dataclass(frozen=True, kw_only=True)
class SliceValue:
    """One variant on one slice; intervals of the drops are two-sided.

    `bound` is the one-sided 95 % bound of the value, on the side that a floor (or a limit on false alarms)
    is judged by; absent where the slice has neither.
    """

    variant: str
    value: Interval
    drop_vs_teacher: Interval | None
    drop_vs_fp32: Interval | None = None
    bound: float | None = None
    gains: tuple[str, ...] = ()
    """How it stands to each baseline that it must exceed, in words."""
    status: CheckStatus


@dataclass(frozen=True, kw_only=True)
class SliceRow:
    """One slice: how it is judged, how many rows it has, and every variant on it."""

    name: str
    tier: Literal["prove", "watch"]
    metric: str
    n: int
    margin: float | None
    teacher: Interval | None
    at_least: float | None = None
    at_most: float | None = None
    above: tuple[str, ...] = ()
    """What else it must exceed, in words."""
    left_out: int = 0
    """Rows of the slice that are not judged, as every answer to them is as good."""
    sampling: Literal["all", "traffic", "weighted"] = "all"
    """Which rows count: all of the slice's, those drawn as traffic comes, or all by share of traffic."""
    requests_per_day: float | None = None
    """How many of a day's requests are judged by it, where the project says how many requests there are and
    each answer is right or wrong."""
    variants: tuple[SliceValue, ...] = ()

    def errors_per_day(self, value: Interval | None) -> float | None:
        """Return how many of a day's requests a value gets wrong; None where that is not known."""
        if value is None or self.requests_per_day is None:
            return None
        rate = value.estimate if self.metric == "false_alarm" else 1 - value.estimate
        return rate * self.requests_per_day

    def of(self, variant: str) -> SliceValue | None:
        """Return the value of a variant, if it was scored."""
        return next((value for value in self.variants if value.variant == variant), None)
