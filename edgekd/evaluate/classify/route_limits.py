"""What a routing policy leaves missing to the floors, limits and margins that a project wants proven."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from edgekd.evaluate.arrays import Flags, Labels
from edgekd.evaluate.classify.bias import ROOM
from edgekd.evaluate.classify.slices import ClassRows
from edgekd.stats.paired import paired_drop_bound
from edgekd.stats.tally import hits_to_prove


@dataclass(frozen=True, eq=False)
class RouteLimit:
    """A slice's floor, its limit on false alarms, or its margin.

    Attributes:
        taught, answered, refused: rows where the teacher's answer, the student's, or a refusal is a hit.
        needed: hits that prove it.
        weight: of a hit that is missing: one over the errors that the limit allows.
    """

    taught: Flags
    answered: Flags
    refused: Flags
    needed: int
    weight: float


def find_limits(
    limited: Sequence[ClassRows],
    truth: Labels,
    answered: Labels,
    taught: Labels,
    refusal: int,
    order: npt.NDArray[np.int64],
) -> list[RouteLimit]:
    """Return what the floor, limit and proven margin of each slice need, its rows in that order.

    Floors and limits are to be proven with room for other rows (`bias.ROOM`). Precision is left out.
    """
    found = []
    for rows in limited:
        n = int(rows.rows.sum())
        if not n or not rows.is_paired:
            continue
        by_teacher, by_student, by_refusal = (
            _spread(rows, called, truth)[order] for called in (taught, answered, np.full_like(truth, refusal))
        )
        for needed, errors in _needs(rows, n, by_teacher, by_student):
            found.append(RouteLimit(by_teacher, by_student, by_refusal, needed, 1 / errors))
    return found


def _needs(rows: ClassRows, n: int, by_teacher: Flags, by_student: Flags) -> Iterator[tuple[int, float]]:
    """Yield the hits that each of the slice's limits needs, and how many errors it allows."""
    if rows.floor is not None:
        yield hits_to_prove(rows.floor, n, ROOM), n * (1 - rows.floor)
    if rows.margin and rows.slice.tier == "prove":
        gained = int((by_student & ~by_teacher).sum())  # at most; fewer prove the margin with fewer hits
        lost = count_within(rows.margin, gained, n)
        yield int(by_teacher.sum()) + gained - lost + 1, n * rows.margin


@cache
def count_within(margin: float, gained: int, n: int) -> int:
    """Count the numbers of lost rows, from 0, with which the drop over `n` rows is within the margin."""
    return bisect_right(range(n - gained), margin, key=lambda lost: paired_drop_bound(lost, gained, n)[1])


def lacking_of(limits: Sequence[RouteLimit], kept: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Sum what is missing to the limits, each as a share of the errors that it allows, [setting].

    `kept` are the hits that each setting has beyond the teacher's, [setting, limit].
    """
    lacking = np.zeros(len(kept))
    for limit, hits in zip(limits, kept.T, strict=True):
        lacking += np.maximum(limit.needed - int(limit.taught.sum()) - hits, 0) * limit.weight
    return lacking.round(9)


def _spread(limited: ClassRows, called: Labels, truth: Labels) -> Flags:
    """Say for every row whether it is one of the slice's and a hit."""
    found = np.zeros(len(truth), np.bool_)
    found[limited.rows] = limited.values(called, truth)
    return found
