"""The change of a mean between two spans of days, with bounds; of many streams at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekd.curate.drift.daily import Daily, Sums

_SURE = 0.1
"""How differently days go is estimated from a few: the upper end of its 90 % interval is taken."""
_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Span:
    """Streams over some days, [stream] each."""

    rows: Sums
    mean: Sums
    variance: Sums
    days: Sums

    @classmethod
    def of(cls, daily: Daily, begin: int, end: int) -> Span:
        """Add up the days from number `begin` up to, without, `end`."""
        part = slice(max(0, begin), max(0, end))
        rows = daily.rows[:, part].sum(1)
        counted = np.maximum(rows, 1)
        mean = daily.total[:, part].sum(1) / counted
        variance = np.maximum(daily.squares[:, part].sum(1) / counted - mean**2, 0)
        return cls(rows, mean, variance, np.maximum((daily.rows[:, part] > 0).sum(1), 1).astype(np.float64))


Effect = tuple[Sums, Sums, Sums]
"""Estimates, lower and upper bounds [stream]."""


def day_spread(daily: Daily, begin: int, end: int) -> Sums:
    """Estimate how much a figure's variance from day to day is beyond that of its rows, [stream].

    Source: the moment estimate of DerSimonian, R. and Laird, N. (1986), Meta-analysis in clinical trials,
    Controlled Clinical Trials 7, 177-188; at the upper end of the 90 % interval of its sum of squares.
    """
    from scipy.special import gammaincinv

    rows = daily.rows[:, begin:end]
    span = Span.of(daily, begin, end)
    variance = np.maximum(span.variance, _TINY)[:, None]
    means = daily.total[:, begin:end] / np.maximum(rows, 1)
    weights = rows / variance
    free = np.maximum(span.days - 1, 1)
    q = (weights * (means - span.mean[:, None]) ** 2).sum(1) * free / (2 * gammaincinv(free / 2, _SURE))
    total = np.maximum(weights.sum(1), _TINY)
    scale = np.maximum(total - (weights**2).sum(1) / total, _TINY)
    return np.asarray(np.where(span.days > 1, np.maximum(0, (q - free) / scale), 0.0))


def compare_spans(now: Span, before: Span, spread: Sums, level: float) -> Effect:
    """Bound the difference of two means of bounded values, now less before.

    Each mean has Clopper's and Pearson's bounds at as many rows as its variance is worth (Korn, E. L. and
    Graubard, B. I. (1998), Survey Methodology 24, 193-201); they are joined by the method of variance
    estimates recovery (Zou, G. Y. and Donner, A. (2008), Statistics in Medicine 27, 1693-1702).
    """
    low_now, high_now = _bounds(now, before, spread, level)
    low_then, high_then = _bounds(before, before, spread, level)
    change = now.mean - before.mean
    low = change - np.hypot(now.mean - low_now, high_then - before.mean)
    high = change + np.hypot(high_now - now.mean, before.mean - low_then)
    known = (now.rows > 0) & (before.rows > 0)
    return np.where(known, change, 0.0), np.where(known, low, -1.0), np.where(known, high, 1.0)


def _bounds(span: Span, before: Span, spread: Sums, level: float) -> tuple[Sums, Sums]:
    from scipy.special import betaincinv

    variance = np.maximum(np.maximum(span.variance, before.variance), _TINY)
    by_rows = variance / np.maximum(span.rows, 1)
    binary = np.maximum(np.maximum(span.mean * (1 - span.mean), before.mean * (1 - before.mean)), _TINY)
    gain = np.maximum(1.0, np.where(variance > 1e-9, binary / variance, 1.0))
    worth = np.maximum(span.rows * gain * by_rows / (by_rows + spread / span.days), 1.0)
    hits = np.clip(span.mean, 0, 1) * worth
    low = np.where(hits > 0, betaincinv(np.maximum(hits, _TINY), worth - hits + 1, level), 0.0)
    high = np.where(hits < worth, betaincinv(hits + 1, np.maximum(worth - hits, _TINY), 1 - level), 1.0)
    return np.minimum(low, span.mean), np.maximum(high, span.mean)


def subtract(one: Effect, other: Effect) -> Effect:
    """Return one effect less another that was estimated apart."""
    estimate = one[0] - other[0]
    low = estimate - np.hypot(one[0] - one[1], other[2] - other[0])
    return estimate, low, estimate + np.hypot(one[2] - one[0], other[0] - other[1])
