"""How review keeps up, from its rows and its judgments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from edgekd.curate.review.backlog import Waits, measure_waits
from edgekd.curate.review.decide import measure_agreement
from edgekd.curate.review.item import Item, Judgment
from edgekd.errors import BadInputError
from edgekd.stats.raters import Level, RaterAgreement


@dataclass(frozen=True)
class Health:
    """How review keeps up.

    Attributes:
        weekly_incoming: rows that came in per week, over the last weeks.
        weekly_reviewed: rows that were first looked at per week, over the same weeks.
        backlog: rows that nobody has looked at.
        waits: how long rows waited.
        agreement: Krippendorff's alpha; None where no row has two raters.
    """

    weekly_incoming: float
    weekly_reviewed: float
    backlog: int
    waits: Waits
    agreement: RaterAgreement | None


def measure_health(
    items: Sequence[Item],
    judgments: Sequence[Judgment],
    now: datetime,
    weeks: int = 4,
    level: Level = "nominal",
) -> Health:
    """Measure how review keeps up; a row is reviewed when the first of its raters has looked at it.

    Raises:
        BadInputError: a row has no time of arrival, or a judgment is of a row that is not there.
    """
    if weeks < 1:
        raise BadInputError(f"weeks: expected 1 or more, got {weeks}")
    first: dict[str, datetime] = {}
    for one in judgments:
        if one.time <= now:
            first[one.row] = min(one.time, first.get(one.row, one.time))
    known = {item.id for item in items}
    if unknown := next((row for row in first if row not in known), None):
        raise BadInputError(f"a judgment is of row {unknown!r:.60}, which is not among the rows that came in")
    arrived = []
    for item in items:
        if item.arrived is None:
            raise BadInputError(f"row {item.id!r:.60} has no 'arrived'; say when it came in")
        arrived.append(item.arrived)
    start = now - timedelta(weeks=weeks)
    reviewed = [first.get(item.id) for item in items]
    waits = measure_waits(arrived, reviewed, now)
    seen = [one for one in judgments if one.time <= now]
    try:
        agreement = measure_agreement(seen, level).alpha
    except BadInputError:
        if _has_two(seen):
            raise
        agreement = None
    return Health(
        weekly_incoming=sum(start < time for time in arrived) / weeks,
        weekly_reviewed=sum(start < time for time in reviewed if time is not None) / weeks,
        backlog=waits.waiting,
        waits=waits,
        agreement=agreement,
    )


def _has_two(judgments: Sequence[Judgment]) -> bool:
    pairs = {(one.row, one.rater) for one in judgments}
    return len({row for row, _ in pairs}) < len(pairs)
