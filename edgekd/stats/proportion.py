"""Intervals and bounds of one proportion."""

from __future__ import annotations

import math
from statistics import NormalDist

from edgekd.errors import BadInputError
from edgekd.stats.interval import Interval


def wilson_interval(hits: int, n: int, confidence: float = 0.95) -> Interval:
    """Return Wilson's two-sided score interval of a proportion.

    Never leaves [0, 1] and has a width at 0 and n hits. Source: Wilson, E. B. (1927), Probable
    inference, the law of succession, and statistical inference, JASA 22, 209-212.

    Raises:
        BadInputError: if there are no trials, or more hits than trials.

    >>> interval = wilson_interval(9, 10)
    >>> round(interval.low, 4), round(interval.high, 4)
    (0.5958, 0.9821)
    """
    _check(hits, n, confidence)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = hits / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if hits == 0 else centre - reach
    high = 1.0 if hits == n else centre + reach
    return Interval(share, low, high, confidence)


def exact_upper_bound(found: int, n: int, confidence: float = 0.95) -> float:
    """Return the one-sided Clopper-Pearson upper bound of a proportion.

    Exact: a true rate above the bound would give this few or fewer finds with a chance of at most
    1 - confidence. Source: Clopper, C. J. and Pearson, E. S. (1934), The use of confidence or
    fiducial limits illustrated in the case of the binomial, Biometrika 26, 404-413.

    Raises:
        BadInputError: if there are no trials, or more finds than trials.

    >>> round(exact_upper_bound(78, 2000), 4)
    0.0469
    """
    from scipy.special import betaincinv

    _check(found, n, confidence)
    return 1.0 if found == n else float(betaincinv(found + 1, n - found, confidence))


def _check(hits: int, n: int, confidence: float) -> None:
    if n < 1:
        raise BadInputError(f"a proportion needs at least one trial, got {n}")
    if not 0 <= hits <= n:
        raise BadInputError(f"hits must be 0 to {n}, the number of trials, got {hits}")
    if not 0 < confidence < 1:
        raise BadInputError(f"confidence must be between 0 and 1, got {confidence}")
