"""What a routing policy leaves missing to the floors and limits of a project's slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgekd.evaluate.arrays import Flags, Labels
from edgekd.evaluate.bias import ROOM
from edgekd.evaluate.slices import SliceRows
from edgekd.stats.tally import hits_to_prove


@dataclass(frozen=True, eq=False)
class RouteLimit:
    """A slice's floor, or its limit on false alarms.

    Attributes:
        taught, answered, refused: rows where the teacher's answer, the student's, or a refusal is a hit.
        needed: hits that prove it with room for other rows (`bias.ROOM`).
        weight: of a hit that is missing: one over the errors that the limit allows.
    """

    taught: Flags
    answered: Flags
    refused: Flags
    needed: int
    weight: float


def find_limits(
    limited: Sequence[SliceRows],
    truth: Labels,
    answered: Labels,
    taught: Labels,
    refusal: int,
    order: npt.NDArray[np.int64],
) -> list[RouteLimit]:
    """Return what each slice with a floor or a limit needs, its rows in that order; precision is left out."""
    found = []
    for rows in limited:
        n = int(rows.rows.sum())
        if not n or not rows.is_paired or rows.floor is None:
            continue
        hits = [
            _spread(rows, called, truth)[order] for called in (taught, answered, np.full_like(truth, refusal))
        ]
        needed = hits_to_prove(rows.floor, n, ROOM)
        found.append(RouteLimit(hits[0], hits[1], hits[2], needed, 1 / (n * (1 - rows.floor))))
    return found


def lacking_of(limits: Sequence[RouteLimit], kept: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Sum what is missing to the limits, each as a share of the errors that it allows, [setting].

    `kept` are the hits that each setting has beyond the teacher's, [setting, limit].
    """
    lacking = np.zeros(len(kept))
    for limit, hits in zip(limits, kept.T, strict=True):
        lacking += np.maximum(limit.needed - int(limit.taught.sum()) - hits, 0) * limit.weight
    return lacking.round(9)


def _spread(limited: SliceRows, called: Labels, truth: Labels) -> Flags:
    """Say for every row whether it is one of the slice's and a hit."""
    found = np.zeros(len(truth), np.bool_)
    found[limited.rows] = limited.hits(called, truth)
    return found
