"""One figure of health, and what it is held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Group = Literal["traffic", "quality", "safety", "data", "training"]
GROUPS: tuple[Group, ...] = ("traffic", "quality", "safety", "data", "training")
State = Literal["good", "bad", "unsure", "no target"]
WHOLE = "overall"


@dataclass(frozen=True)
class Target:
    """A limit: at most so much, or at least."""

    limit: float
    at_most: bool

    def judge(self, low: float, high: float) -> State:
        """Say whether an interval holds the limit, misses it, or has it inside.

        >>> Target(0.3, at_most=True).judge(0.2, 0.35)
        'unsure'
        """
        if self.at_most:
            return "good" if high <= self.limit else "bad" if low > self.limit else "unsure"
        return "good" if low >= self.limit else "bad" if high < self.limit else "unsure"


@dataclass(frozen=True)
class Figure:
    """A figure of one slice.

    Attributes:
        group: Which of the five groups it is of.
        name: Such as `fallback_rate`; rates are from 0 to 1, times in ms, ages in days.
        slice: `overall`, or a slice of the traffic.
        value: What it is now.
        low: Lower end of its 95 % interval; equal to the value where the source states none.
        high: Upper end.
        source: Where it comes from.
        before: What it was in the period before; None where that is not known.
        n: Rows behind it; None where the source does not say.
        target: What it is held against, if anything.
    """

    group: Group
    name: str
    slice: str
    value: float
    low: float
    high: float
    source: str
    before: float | None = None
    n: int | None = None
    target: Target | None = None

    @property
    def state(self) -> State:
        """Whether it holds its target."""
        return "no target" if self.target is None else self.target.judge(self.low, self.high)

    @property
    def change(self) -> float | None:
        """By how much it has risen since the period before."""
        return None if self.before is None else self.value - self.before
