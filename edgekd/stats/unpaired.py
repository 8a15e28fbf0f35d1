"""Two rates on different rows."""

from __future__ import annotations

import math

from edgekd.stats.interval import Interval
from edgekd.stats.proportion import wilson_interval


def rate_difference(hits: int, n: int, other_hits: int, other_n: int, confidence: float = 0.95) -> Interval:
    """Return the first rate minus the second, with Newcombe's hybrid score interval.

    Source: Newcombe, R. G. (1998), Interval estimation for the difference between independent
    proportions: comparison of eleven methods, Statistics in Medicine 17, 873-890, method 10.

    >>> found = rate_difference(56, 70, 48, 80)
    >>> round(found.low, 4), round(found.high, 4)
    (0.0524, 0.3339)
    """
    one, other = wilson_interval(hits, n, confidence), wilson_interval(other_hits, other_n, confidence)
    drop = one.estimate - other.estimate
    below = math.hypot(one.estimate - one.low, other.high - other.estimate)
    above = math.hypot(one.high - one.estimate, other.estimate - other.low)
    return Interval(drop, drop - below, drop + above, confidence)
