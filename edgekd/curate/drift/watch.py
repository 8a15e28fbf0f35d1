"""Say each day which figures have changed: an effect with an interval, against a margin.

An alarm needs the whole interval beyond the margin, so that a change that does not matter is never one,
however many rows show it. Days differ by more than chance (weekdays, campaigns): that is estimated from the
days of the reference and widens every interval. What the same week of last year did, too, is a season: an
alarm needs the change itself and what is left of it without the season to be beyond the margin.

False alarms: each test's level is the budget over all tests of its period (days, streams, windows, two
sides). So the *expected number* of false alarms in the period is at most the budget, whatever depends on
what: the per-family error rate (Gordon, A. et al. (2007), Control of the mean number of false discoveries,
Bonferroni and stability of multiple testing, Annals of Applied Statistics 1, 179-190).
A detector with a stated average run length (Shin, J., Ramdas, A. and Rinaldo, A. (2024), E-detectors, New
England Journal of Statistics in Data Science 2, 229-260) promises the same kind of thing. Windows of a few
lengths look back, so that a change late in the period is found as soon as one at its beginning.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
import numpy.typing as npt

from edgekd.curate.drift.daily import Daily, Stream
from edgekd.curate.drift.effect import Effect, Span, compare_spans, day_spread, subtract
from edgekd.errors import BadInputError

YEAR = 364
"""Days after which the same weekday of the same week of the year comes again."""
_PERIOD = 90
_TINY = 1e-12


@dataclass(frozen=True)
class Watching:
    """What counts as a change.

    Attributes:
        margin: the largest change of a mean that does not matter, a share (0.02 is two points).
        reference: days before the first that is watched.
        false_alarms: expected number of false alarms in 90 days, at most.
        windows: lengths in days of what is compared with the reference.
    """

    margin: float = 0.02
    reference: int = 28
    false_alarms: float = 0.1
    windows: tuple[int, ...] = (1, 3, 7)

    def level(self, streams: int) -> float:
        """Return the one-sided level of one test."""
        return self.false_alarms / (_PERIOD * max(1, streams) * len(self.windows) * 2)


@dataclass(frozen=True)
class Change:
    """A figure that has changed by more than the margin.

    Attributes:
        day: the last day of the window.
        before, now: mean of the reference and of the window.
        estimate, low, high: the change; what last year's season did is taken off where it is known.
        kind: "drift", or "season" where the figure has changed but no more than a year ago.
        has_year: whether rows of a year ago say what the season does.
    """

    stream: Stream
    day: date
    window: int
    before: float
    now: float
    estimate: float
    low: float
    high: float
    kind: Literal["drift", "season"]
    has_year: bool

    @property
    def weight(self) -> tuple[float, float]:
        """How large the change is beside where the figure was: the logarithm of the ratio of odds.

        Of equal ones, as the two shares of a whole, a rise comes before a fall.
        """
        odds = [(share + _TINY) / (1 - share + _TINY) for share in (self.before, self.now)]
        return round(abs(math.log(odds[1] / odds[0])), 6), self.now - self.before


def watch(daily: Daily, settings: Watching, start: date, end: date) -> tuple[Change, ...]:
    """Compare every day from `start` to `end` with the reference before `start`; in order of days.

    Of each stream and day the window that shows most is told.

    Raises:
        BadInputError: the reference is not in the sums, or the days are not.
    """
    first, last = start.toordinal() - daily.first, end.toordinal() - daily.first
    begin = first - settings.reference
    if begin < 0 or last >= daily.days or last < first:
        days = [date.fromordinal(daily.first + place) for place in (0, daily.days - 1)]
        raise BadInputError(
            f"drift from {start} to {end} needs the {settings.reference} days before as its reference; "
            f"the logs hold {days[0]} to {days[1]}"
        )
    level = settings.level(len(daily.streams))
    reference = Span.of(daily, begin, first)
    spread = day_spread(daily, begin, first)
    year = Span.of(daily, begin - YEAR, first - YEAR) if begin >= YEAR else None
    found: list[Change] = []
    for today in range(first, last + 1):
        best: dict[int, Change] = {}
        for window in settings.windows:
            now = Span.of(daily, today + 1 - window, today + 1)
            raw = compare_spans(now, reference, spread, level)
            net, has_year = raw, np.zeros(len(daily.streams), bool)
            if year is not None:
                then = Span.of(daily, today + 1 - window - YEAR, today + 1 - YEAR)
                season = compare_spans(then, year, spread, level)
                has_year = (then.rows > 0) & (year.rows > 0)
                less = subtract(raw, season)
                net = (
                    np.where(has_year, less[0], raw[0]),
                    np.where(has_year, less[1], raw[1]),
                    np.where(has_year, less[2], raw[2]),
                )
            is_drift = _is_beyond(net, settings.margin)
            for place in np.flatnonzero(_is_beyond(raw, settings.margin)).tolist():
                drifts = bool(is_drift[place])
                estimate, low, high = (float((net if drifts else raw)[part][place]) for part in range(3))
                change = Change(
                    daily.streams[place],
                    date.fromordinal(daily.first + today),
                    window,
                    float(reference.mean[place]),
                    float(now.mean[place]),
                    estimate,
                    low,
                    high,
                    "drift" if drifts else "season",
                    bool(has_year[place]),
                )
                if place not in best or _gap(change) > _gap(best[place]):
                    best[place] = change
        found += best.values()
    return tuple(found)


def name_alarms(changes: Sequence[Change], quiet_days: int = 7) -> tuple[Change, ...]:
    """Tell each drift once, on the day that it is first seen, and of a group the change that weighs most.

    A stream that has been within its margin for `quiet_days` may raise a new alarm. What other streams of the
    same group do within as many days of an alarm is part of it.
    """
    last: dict[Stream, date] = {}
    began: dict[str, date] = {}
    alarms: list[Change] = []
    by_day: dict[date, list[Change]] = {}
    for change in changes:
        if change.kind == "drift":
            by_day.setdefault(change.day, []).append(change)
    for day in sorted(by_day):
        groups: dict[str, list[Change]] = {}
        for change in by_day[day]:
            before, last[change.stream] = last.get(change.stream), day
            if before is None or (day - before).days > quiet_days:
                groups.setdefault(change.stream.group or str(change.stream), []).append(change)
        for name, members in groups.items():
            if name not in began or (day - began[name]).days > quiet_days:
                alarms.append(max(members, key=lambda change: change.weight))
                began[name] = day
    return tuple(alarms)


def _is_beyond(effect: Effect, margin: float) -> npt.NDArray[np.bool_]:
    return np.asarray((effect[1] > margin) | (effect[2] < -margin))


def _gap(change: Change) -> float:
    return max(change.low, -change.high)
