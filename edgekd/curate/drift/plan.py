"""What to label anew, how much of it, and by when."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from edgekd.curate.drift.daily import Daily, Stream
from edgekd.curate.drift.watch import Change

SOONEST, LATEST = 7, 90
"""Days between two refreshes, at least and at most."""
_SURE = 0.95


@dataclass(frozen=True)
class Renewal:
    """Rows of one part of the traffic to label: what has changed, how many rows, and by which day."""

    part: str
    reason: str
    rows: int
    by: date


@dataclass(frozen=True)
class RefreshPlan:
    """When the next lesson is due, and what it needs.

    Attributes:
        interval_days: after how many days what is new would exceed the margin.
        growth_per_day: how much the share of requests with new words grows a day: an upper bound at 95 %.
    """

    interval_days: int
    growth_per_day: float
    renewals: tuple[Renewal, ...]

    @property
    def rows(self) -> int:
        """Rows to label in all."""
        return sum(renewal.rows for renewal in self.renewals)


def growth_per_day(daily: Daily, stream: Stream) -> float:
    """Return how much a stream's mean grows a day, at least 0: an upper bound at 95 % of a weighted line."""
    if stream not in daily.streams:
        return 0.0
    place = daily.streams.index(stream)
    rows, total = daily.rows[place], daily.total[place]
    days = np.flatnonzero(rows)
    if len(days) < 3:
        return 0.0
    weights, means = rows[days] / rows[days].sum(), total[days] / rows[days]
    centred = days - weights @ days
    scale = weights @ centred**2
    slope = float(weights @ (centred * means) / scale)
    rest = means - weights @ means - slope * centred
    error = math.sqrt(float(weights @ rest**2) / scale / (len(days) - 2))
    return max(0.0, slope + NormalDist().inv_cdf(_SURE) * error)


def plan_refresh(
    alarms: Sequence[Change],
    today: date,
    growth: float,
    margin: float,
    needs: Mapping[str, int],
    lacking: Mapping[str, int],
) -> RefreshPlan:
    """Plan the next refresh.

    Parts with an alarm are due in a week, parts that lack rows with the next regular refresh. `needs` and
    `lacking` are rows by part: how many its share of today's traffic asks for beyond the recent ones that
    there are, and how many it lacks of the least that a part should have.
    """
    interval = LATEST if growth <= margin / LATEST else max(SOONEST, int(margin / growth))
    renewals: dict[str, Renewal] = {}
    for change in alarms:
        part, rows = change.stream.slice, needs.get(change.stream.slice, 0)
        words = f"{change.stream.signal} {change.before:.1%} to {change.now:.1%} on {change.day}"
        known = renewals.get(part)
        if known is None or rows > known.rows:
            renewals[part] = Renewal(part, words, rows, today + timedelta(SOONEST))
    for part, rows in lacking.items():
        if part not in renewals and rows:
            renewals[part] = Renewal(part, "too few rows", rows, today + timedelta(interval))
    return RefreshPlan(interval, growth, tuple(renewal for renewal in renewals.values() if renewal.rows))


def rows_needed(
    traffic_share: float, mask: npt.NDArray[np.bool_], weights: npt.NDArray[np.float64], least: int
) -> int:
    """Return how many new rows a part needs so that recent rows stand for its share of today's traffic.

    `mask` [row] are its training rows, `weights` [row] how much each training row still counts.
    """
    wanted = max(float(least), traffic_share * len(mask))
    return max(0, math.ceil(wanted - float(weights[mask].sum())))
