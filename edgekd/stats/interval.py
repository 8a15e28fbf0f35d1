"""An estimate with its two ends."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """A two-sided interval at `confidence`; `estimate` lies within it."""

    estimate: float
    low: float
    high: float
    confidence: float
