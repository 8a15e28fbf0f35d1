"""Watch two rates row by row: bounds that hold at every look, however often one looks.

A usual 95 % interval that is looked at after every row is wrong at some look far more often than in 5 %
of cases. These are wrong at any look in at most 5 %.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from edgekd.errors import BadInputError
from edgekd.stats.interval import Interval

_OF_DROPS, _OF_RATES = 30, 40
"""Halvings of an interval: drops to 2e-9; rates closer, for likelihoods are steep near 0 and 1."""


@dataclass(frozen=True)
class Arm:
    """Rows seen in one arm, and how many of them are hits."""

    hits: int
    n: int

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.n:
            raise BadInputError(f"hits must be 0 to {self.n}, the number of rows, got {self.hits}")


def drop_sequence(control: Arm, tested: Arm, confidence: float = 0.95) -> Interval:
    """Bound how much lower the rate of `tested` is than that of `control`, at this and every other look.

    Rows are independent, each arm's of one rate. Each arm's likelihood, mixed over Jeffreys' Beta(1/2,
    1/2), over that of any rate is a martingale under that rate, and so is the product of both arms
    (whatever the order in which rows come). By Ville's inequality the product exceeds
    1 / (1 - confidence) at any time with a chance of at most 1 - confidence; the interval holds every
    drop for which some pair of rates does not. Exact for any rates and sizes, also at no hits; before
    the first rows it is (-1, 1).

    Source: Ville, J. (1939), Etude critique de la notion de collectif; Robbins, H. (1970), Statistical
    methods related to the law of the iterated logarithm, Annals of Mathematical Statistics 41, 1397-1409.

    >>> seen = drop_sequence(Arm(9_500, 10_000), Arm(9_300, 10_000))
    >>> seen.low > 0, seen.high < 0.04
    (True, True)
    """
    if not 0 < confidence < 1:
        raise BadInputError(f"confidence must be between 0 and 1, got {confidence}")
    here, there = _rate(control), _rate(tested)
    most = math.log(1 / (1 - confidence)) - _log_mixture(control) - _log_mixture(tested)

    def is_held(drop: float) -> bool:
        return -_best_log_likelihood(control, tested, drop) < most

    estimate = here - there
    return Interval(estimate, _end(estimate, -1.0, is_held), _end(estimate, 1.0, is_held), confidence)


def rate_sequence(arm: Arm, confidence: float = 0.95) -> Interval:
    """Bound one arm's rate of hits, at this and every other look, as `drop_sequence` bounds a drop.

    >>> seen = rate_sequence(Arm(930, 1_000))
    >>> seen.low > 0.89, seen.high < 0.96
    (True, True)
    """
    if not 0 < confidence < 1:
        raise BadInputError(f"confidence must be between 0 and 1, got {confidence}")
    estimate = _rate(arm)
    most = math.log(1 / (1 - confidence)) - _log_mixture(arm)

    def is_held(rate: float) -> bool:
        return -_log_likelihood(arm, rate) < most

    return Interval(estimate, _end(estimate, 0.0, is_held), _end(estimate, 1.0, is_held), confidence)


def _end(inside: float, outer: float, is_held: Callable[[float], bool]) -> float:
    """Halve towards the last value that is held between `inside` and `outer`; errs to the outside."""
    if is_held(outer):
        return outer
    outside = outer
    for _ in range(_OF_DROPS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if is_held(middle) else (inside, middle)
    return outside


def _rate(arm: Arm) -> float:
    return arm.hits / arm.n if arm.n else 0.5


def _log_mixture(arm: Arm) -> float:
    """Log of the mean likelihood of the arm's rows, over Beta(1/2, 1/2)."""
    misses = arm.n - arm.hits
    return (
        math.lgamma(arm.hits + 0.5) + math.lgamma(misses + 0.5) - math.lgamma(arm.n + 1) - math.log(math.pi)
    )


def _best_log_likelihood(control: Arm, tested: Arm, drop: float) -> float:
    """Log-likelihood of the likeliest pair of rates whose difference is `drop`; concave in the rate."""
    low, high = max(0.0, drop), min(1.0, 1.0 + drop)  # of the control's rate

    def slope(rate: float) -> float:
        return _slope(control, rate) + _slope(tested, rate - drop)

    for _ in range(_OF_RATES):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) > 0 else (low, middle)
    rate = (low + high) / 2
    return _log_likelihood(control, rate) + _log_likelihood(tested, rate - drop)


def _slope(arm: Arm, rate: float) -> float:
    misses = arm.n - arm.hits
    up = arm.hits / rate if rate > 0 else math.inf if arm.hits else 0.0
    down = misses / (1 - rate) if rate < 1 else math.inf if misses else 0.0
    return up - down


def _log_likelihood(arm: Arm, rate: float) -> float:
    misses = arm.n - arm.hits
    total = 0.0
    for count, share in ((arm.hits, rate), (misses, 1 - rate)):
        if count:
            total += count * math.log(share) if share > 0 else -math.inf
    return total
