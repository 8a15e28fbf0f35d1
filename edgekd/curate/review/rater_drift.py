"""Whether a rater judges otherwise than before: against known answers, or against the other raters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from edgekd.curate.review.decide import last_judgments
from edgekd.curate.review.item import Judgment
from edgekd.errors import BadInputError
from edgekd.stats.interval import Interval
from edgekd.stats.unpaired import rate_difference

_LEAST_OTHERS = 2  # of two who differ nobody can say who is right
_ERRORS = 0.05  # false alarms over all raters together, where none has drifted


@dataclass(frozen=True)
class RaterDrift:
    """One rater before and since a day.

    Attributes:
        rater: who.
        before: rows of the rater's that could be compared before that day, and how many were right.
        since: the same since that day.
        fall: by how much the share of right ones fell; the interval's confidence is shared among raters. None
            where there is no row on one side.
        drifted: whether the fall is shown to be more than the margin.
    """

    rater: str
    before: tuple[int, int]
    since: tuple[int, int]
    fall: Interval | None
    drifted: bool


def find_drift(
    judgments: Sequence[Judgment],
    since: datetime,
    margin: float = 0.05,
    known: Mapping[str, str] | None = None,
) -> list[RaterDrift]:
    """Compare every rater before and since a time; who drifted comes first.

    A judgment is right where it is the row's `known` answer. Where no answers are known, it is right where
    at least two other raters of the row said the same and no other did otherwise; who has drifted is found
    one by one, and is then no longer among the others. So one bad rater among several is found, and two who
    err alike are not. Of all checks no more than 5 % name a rater who has not drifted.

    Raises:
        BadInputError: the margin is no share.
    """
    if not 0 <= margin < 1:
        raise BadInputError(f"margin: expected a share from 0 to 1, got {margin:g}")
    last = last_judgments(judgments)
    raters = dict.fromkeys(one.rater for one in last)
    drifted: list[RaterDrift] = []
    while True:
        named = {one.rater for one in drifted}
        counts = _count([one for one in last if one.rater not in named], since, known)
        tested = sum(bool(before[0] and after[0]) for before, after in counts.values())
        # A two-sided interval of which one end is read; the chance of an error is shared by all raters.
        confidence = 1 - 2 * _ERRORS / max(1, tested, len(raters))
        found = [_compare(rater, *pair, margin, confidence) for rater, pair in counts.items()]
        worst = max((one for one in found if one.fall and one.drifted), key=_least_fall, default=None)
        if worst is None:
            return [*drifted, *sorted(found, key=lambda one: (-_least_fall(one), one.rater))]
        drifted.append(worst)


def _least_fall(one: RaterDrift) -> float:
    return one.fall.low if one.fall else -1.0


def _count(
    judgments: Sequence[Judgment], since: datetime, known: Mapping[str, str] | None
) -> dict[str, tuple[list[int], list[int]]]:
    """Count of each rater, before and since, the judgments that can be compared, and those that are right."""
    of_row: dict[str, list[Judgment]] = {}
    for one in judgments:
        of_row.setdefault(one.row, []).append(one)
    counts: dict[str, tuple[list[int], list[int]]] = {one.rater: ([0, 0], [0, 0]) for one in judgments}
    for one in judgments:
        right = _others(one, of_row[one.row]) if known is None else known.get(one.row)
        if right is not None:
            cell = counts[one.rater][one.time >= since]
            cell[0] += 1
            cell[1] += one.answer == right
    return counts


def _others(judgment: Judgment, row: Sequence[Judgment]) -> str | None:
    """Return what the other raters of a row say, where they are two or more and all say the same."""
    others = [one.answer for one in row if one.rater != judgment.rater]
    return others[0] if len(others) >= _LEAST_OTHERS and len(set(others)) == 1 else None


def _compare(
    rater: str, before: Sequence[int], since: Sequence[int], margin: float, confidence: float
) -> RaterDrift:
    fall = None
    if before[0] and since[0]:
        fall = rate_difference(before[1], before[0], since[1], since[0], confidence)
    drifted = fall is not None and fall.low > margin
    return RaterDrift(rater, (before[0], before[1]), (since[0], since[1]), fall, drifted)
