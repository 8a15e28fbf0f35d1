"""An estimate with its two ends."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """A two-sided interval at `confidence`; `estimate` lies within it."""

    estimate: float
    low: float
    high: float
    confidence: float


def divide(one: Interval, other: Interval) -> Interval:
    """Return the ratio of two positive figures that were estimated apart, at the confidence of both.

    From their own intervals on logarithms, by the method of variance estimates recovery (Zou and Donner,
    Statistics in Medicine 27, 2008): the ends' distances from the estimates add up as squares.

    >>> divide(Interval(2.0, 1.0, 4.0, 0.95), Interval(1.0, 1.0, 1.0, 0.95))
    Interval(estimate=2.0, low=1.0, high=4.0, confidence=0.95)
    """
    estimate = one.estimate / other.estimate
    below = math.hypot(math.log(one.estimate / one.low), math.log(other.high / other.estimate))
    above = math.hypot(math.log(one.high / one.estimate), math.log(other.estimate / other.low))
    return Interval(estimate, estimate / math.exp(below), estimate * math.exp(above), one.confidence)
