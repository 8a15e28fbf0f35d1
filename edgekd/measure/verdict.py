"""Decide from the rounds of a comparison: faster, slower, no change, or too noisy to say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from edgekd.errors import BadInputError
from edgekd.stats.interval import Interval
from edgekd.stats.percentiles import PerProcess, log_t_interval

Verdict = Literal["faster", "slower", "no change", "too noisy"]


@dataclass(frozen=True)
class Rule:
    """What a change is, and how sure a verdict must be.

    A change is called where the whole interval of the ratio lies beyond `guard`: processes of the very same
    artifact differ for good by up to a percent, from where their pages lie, and that is no change. None is
    called where the whole interval lies within `effect`. Rounds are looked at one after the other, so
    `confidence` is that of a single look, higher than that of the verdict; the study of false alarms and of
    power (docs/measuring.md) says what comes of it.

    Attributes:
        effect: the smallest change that is to be found, as a share: 0.03 is 3 %.
        guard: what is not a change yet.
        confidence: of the interval at each look, two-sided.
        min_rounds: no verdict from fewer.
    """

    effect: float
    guard: float
    confidence: float = 0.995
    min_rounds: int = 5

    def __post_init__(self) -> None:
        if not 0 < self.guard < self.effect < 1:
            raise BadInputError(
                f"expected 0 < guard < effect < 1, got guard {self.guard}, effect {self.effect}"
            )
        if not 0.5 < self.confidence < 1:
            raise BadInputError(f"confidence must be between 0.5 and 1, got {self.confidence}")
        if self.min_rounds < 2:
            raise BadInputError(f"min_rounds must be at least 2, got {self.min_rounds}")


P50_RULE = Rule(effect=0.03, guard=0.01)
P95_RULE = Rule(effect=0.10, guard=0.03)


def judge_rounds(log_ratios: PerProcess, rule: Rule) -> tuple[Verdict, Interval | None]:
    """Judge the rounds' log ratios, candidate over baseline; the interval is of the ratio.

    Student's t over rounds, because the process is the sampling unit (Kalibera and Jones, ISMM 2013).

    >>> judge_rounds(np.log([1.05, 1.052, 1.049, 1.051, 1.05]), P50_RULE)[0]
    'slower'
    """
    if len(log_ratios) < rule.min_rounds:
        return "too noisy", None
    interval = log_t_interval(np.exp(log_ratios), rule.confidence)
    return judge_interval(interval, rule), interval


def judge_interval(interval: Interval, rule: Rule) -> Verdict:
    """Judge the interval of a ratio, candidate over baseline."""
    if interval.low > 1 + rule.guard:
        return "slower"
    if interval.high < 1 / (1 + rule.guard):
        return "faster"
    if 1 / (1 + rule.effect) < interval.low and interval.high < 1 + rule.effect:
        return "no change"
    return "too noisy"
