"""Other upper bounds of a bounded mean, for the study of intervals; each takes many draws of rows at once.

A bound gets `rows` [draw, value], how many rows of a draw have each value, and `values` [value], of which 1
is the largest there can be. It returns the upper one-sided bound at 95 % [draw].
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import t as student

from edgekd.stats.end_row import Array, bound_gap

ALPHA = 0.05
Z = 1.6448536269514722
RESAMPLES = 199
Bound = Callable[[Array, Array], Array]


def t_bound(rows: Array, values: Array) -> Array:
    """Return Student's bound."""
    n, mean, error, _ = _moments(rows, values)
    return np.asarray(mean + student.ppf(1 - ALPHA, n - 1) * error)


def johnson(rows: Array, values: Array) -> Array:
    """Return Student's bound with Johnson's correction for skewness (1978, JASA 73, 536-544)."""
    n, mean, error, skew = _moments(rows, values)
    reach = student.ppf(1 - ALPHA, n - 1) + skew * (1 + 2 * Z * Z) / (6 * np.sqrt(n))
    return np.asarray(mean + reach * error)


def hall(rows: Array, values: Array) -> Array:
    """Return the bound of Hall's monotone transformation (1992, JRSS B 54, 221-228)."""
    n, mean, error, skew = _moments(rows, values)
    skew = np.where(np.abs(skew) < 1e-6, 1e-6, skew)
    inner = 1 + skew * (-Z / np.sqrt(n) - skew / (6 * n))
    return np.asarray(mean - error * 3 * np.sqrt(n) / skew * (np.cbrt(inner) - 1))


def no_row(rows: Array, values: Array) -> Array:
    """Return the quantile of the mean with random weights, and no row added (Bayesian bootstrap)."""
    return _with_row(rows, values, 1e-6)


def half_row(rows: Array, values: Array) -> Array:
    """Return the same with half a row added at 1."""
    return _with_row(rows, values, 0.5)


def gaffke(rows: Array, values: Array) -> Array:
    """Return Gaffke's bound: the same with a whole row."""
    return _with_row(rows, values, 1.0)


def bootstrap_t(rows: Array, values: Array) -> Array:
    """Return Efron's bound from the studentized means of resamples."""
    rng = np.random.default_rng(0)
    n, mean, error, _ = _moments(rows, values)
    out = np.empty(len(rows))
    for at, row in enumerate(rows):
        taken = row > 0
        drawn = rng.multinomial(round(n), row[taken] / n, RESAMPLES).astype(np.float64)
        _, means, errors, _ = _moments(drawn, values[taken])
        low = np.quantile((means - mean[at]) / np.maximum(errors, 1e-9), ALPHA)
        out[at] = mean[at] - low * error[at]
    return np.minimum(out, 1.0)


def betting(rows: Array, values: Array) -> Array:
    """Return the bound by betting against each mean (Waudby-Smith and Ramdas 2024, JRSS B 86, 1-27).

    It is proven for every population. Values lie in [-1, 1] and are scaled to [0, 1]. The order of the rows,
    on which it depends, is random.
    """
    n = round(float(rows[0].sum()))
    unit = (values + 1) / 2
    rng = np.random.default_rng(0)
    drawn = np.stack([rng.permutation(np.repeat(unit, row.astype(int))) for row in rows])
    step = np.arange(1, n + 1)
    running = (0.5 + drawn.cumsum(1)) / (1 + step)
    spread = (0.25 + ((drawn - running) ** 2).cumsum(1)) / (1 + step)
    spread = np.concatenate([np.full((len(rows), 1), 0.25), spread[:, :-1]], axis=1)
    stake = np.sqrt(2 * np.log(1 / ALPHA) / (n * spread))
    low, high = drawn.mean(1), np.ones(len(rows))
    for _ in range(25):
        middle = (low + high) / 2
        bet = np.minimum(stake, 0.5 / (1 - middle)[:, None])
        wealth = np.log1p(-bet * (drawn - middle[:, None])).cumsum(1).max(1)
        out = wealth >= np.log(1 / ALPHA)
        low, high = np.where(out, low, middle), np.where(out, middle, high)
    return np.asarray(2 * high - 1)


def _moments(rows: Array, values: Array) -> tuple[float, Array, Array, Array]:
    """Return n, and of each draw the mean, its standard error and the skewness of the values."""
    n = float(rows[0].sum())
    mean = rows @ values / n
    square = np.maximum(rows @ values**2 / n - mean**2, 0)
    third = rows @ values**3 / n - 3 * mean * (square + mean**2) + 2 * mean**3
    skew = np.where(square > 1e-12, third / np.maximum(square, 1e-12) ** 1.5, 0.0)
    return n, mean, np.sqrt(square / (n - 1)), skew


def _with_row(rows: Array, values: Array, end: float) -> Array:
    return np.asarray(1 - bound_gap(rows, 1 - values, np.full(len(rows), end), Z))


RIVALS: dict[str, Bound] = {
    "Student's t": t_bound,
    "Johnson": johnson,
    "Hall": hall,
    "no row added": no_row,
    "half a row": half_row,
    "Gaffke, a whole row": gaffke,
}
SLOW_RIVALS: dict[str, Bound] = {"bootstrap-t": bootstrap_t, "betting": betting}
