"""What waits for review, week by week, and how long it will wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from edgekd.errors import BadInputError

_DAY = 86_400.0
_WEEK = 7.0


@dataclass(frozen=True)
class Week:
    """The end of a week: what waits, and after how many days a row that comes in then is looked at.

    The delay is for rows that are taken in the order in which they come in; None where nobody reviews.
    """

    week: int
    backlog: float
    delay_days: float | None


def forecast_backlog(
    weekly_incoming: float, weekly_reviewed: float, weeks: int, backlog: float = 0.0
) -> tuple[Week, ...]:
    """Forecast what waits at the end of each of so many weeks; nobody reviews what is not there.

    >>> [week.backlog for week in forecast_backlog(80_000, 18_000, 4)]
    [62000.0, 124000.0, 186000.0, 248000.0]
    """
    if weeks < 1:
        raise BadInputError(f"weeks: expected 1 or more, got {weeks}")
    for name, value in (("incoming", weekly_incoming), ("reviewed", weekly_reviewed), ("backlog", backlog)):
        if not 0 <= value < float("inf"):
            raise BadInputError(f"{name}: expected 0 or more rows, got {value:g}")
    found = []
    for week in range(1, weeks + 1):
        backlog = max(0.0, backlog + weekly_incoming - weekly_reviewed)
        found.append(Week(week, backlog, _WEEK * backlog / weekly_reviewed if weekly_reviewed else None))
    return tuple(found)


def capacity_to_clear(weekly_incoming: float, backlog: float, weeks: int) -> float:
    """Return how many rows a week must be reviewed so that nothing waits after so many weeks.

    >>> capacity_to_clear(80_000, 248_000, 4)
    142000.0
    """
    if weeks < 1:
        raise BadInputError(f"weeks: expected 1 or more, got {weeks}")
    return weekly_incoming + backlog / weeks


@dataclass(frozen=True)
class Waits:
    """How long rows waited: those that were looked at, and those that still wait.

    The first alone looks good where a backlog grows, for what is never looked at is not in it.
    """

    reviewed: int
    waiting: int
    median_delay_days: float | None
    median_waiting_days: float | None


def measure_waits(arrived: Sequence[datetime], reviewed: Sequence[datetime | None], now: datetime) -> Waits:
    """Measure the waits of rows, each with when it came in and when it was looked at, or None.

    Raises:
        BadInputError: a row was looked at before it came in, or came in after `now`.
    """
    done: list[float] = []
    open_days: list[float] = []
    for number, (start, end) in enumerate(zip(arrived, reviewed, strict=True), start=1):
        days = ((now if end is None else end) - start).total_seconds() / _DAY
        if days < 0:
            what = "came in after now" if end is None else "was reviewed before it came in"
            raise BadInputError(f"row {number} {what}, by {-days:.3g} days; mend its times")
        (open_days if end is None else done).append(days)
    return Waits(
        len(done), len(open_days), median(done) if done else None, median(open_days) if open_days else None
    )
