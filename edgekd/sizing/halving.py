"""Successive halving: many students are taught a little, and the promising third is taught on.

Source: Jamieson, K. and Talwalkar, A. (2016), Non-stochastic best arm identification and hyperparameter
optimization, AISTATS. Which students are promising is told by non-dominated sorting instead of by one figure
(Deb, K. et al. 2002, NSGA-II; Schmucker, R. et al. 2021, arXiv:2106.12639), because one search answers many
budgets: a student goes on while no other is better at no more cost.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

_KEPT = 3
"""One in so many goes on."""
_PORTIONS = 5  # of the first rung
_BRANCH = 0.2
"""Rows of the branch that a rung is judged by, as a share of those before it."""

Costs = Sequence[tuple[float, ...]]
"""What the builds of one student cost, each by the same figures."""


@dataclass(frozen=True)
class Ladder:
    """How many students begin, and how far each rung goes.

    Attributes:
        students: How many begin.
        portion: Rows of a portion.
        ends: Portions that lie behind each rung.
        branches: Portions of the branch off each.
        warmup: Portions in which the rate rises.
    """

    students: int
    portion: int
    ends: tuple[int, ...]
    branches: tuple[int, ...]
    warmup: int = 1

    def survivors(self, rung: int) -> int:
        """Return how many students make a rung, counted from 0."""
        return max(1, math.ceil(self.students / int(_KEPT**rung)))

    @property
    def rows_shown(self) -> int:
        """Rows that a whole search shows."""
        found = 0
        for rung, (end, branch) in enumerate(zip(self.ends, self.branches, strict=True)):
            before = self.ends[rung - 1] if rung else 0
            found += self.survivors(rung) * (end - before + branch) * self.portion
        return found


def plan_ladder(students: int, first_rows: int, rungs: int) -> Ladder:
    """Plan rungs of which each shows three times the rows of the one before, to a third of the students."""
    portion = max(1, first_rows // _PORTIONS)
    ends = tuple(_PORTIONS * _KEPT**rung for rung in range(rungs))
    branches = tuple(max(1, round(_BRANCH * end)) for end in ends)
    return Ladder(students, portion, ends, branches)


def choose_promising(count: int, drops: Mapping[str, float], costs: Mapping[str, Costs]) -> list[str]:
    """Choose students to go on with: those that no other dominates, then those that only these do, and so on.

    One dominates another if it loses no more and has, for each build of the other, one that costs no more by
    any figure. Of the last front that is not taken whole the best student is taken, then those that lie
    farthest from what is taken, in drop and in the first figure of cost.
    """
    left, chosen = sorted(drops), list[str]()
    while left and len(chosen) < count:
        front = [name for name in left if not any(_dominates(o, name, drops, costs) for o in left)]
        room = count - len(chosen)
        chosen += front if len(front) <= room else _spread(front, room, drops, costs)
        left = [name for name in left if name not in front]
    return chosen


def _dominates(one: str, other: str, drops: Mapping[str, float], costs: Mapping[str, Costs]) -> bool:
    if one == other or drops[one] > drops[other]:
        return False
    covered = all(
        any(all(a <= b for a, b in zip(own, build, strict=True)) for own in costs[one])
        for build in costs[other]
    )
    # Equals do not dominate each other: the first by name stays.
    is_less = drops[one] < drops[other] or sorted(costs[one]) != sorted(costs[other]) or one < other
    return covered and is_less


def _spread(
    front: Sequence[str], room: int, drops: Mapping[str, float], costs: Mapping[str, Costs]
) -> list[str]:
    places = np.array([(drops[name], math.log(min(c[0] for c in costs[name]) + 1e-9)) for name in front])
    places = (places - places.min(axis=0)) / np.maximum(np.ptp(places, axis=0), 1e-9)
    taken = [int(places[:, 0].argmin())]
    while len(taken) < room:
        apart = np.linalg.norm(places[:, None] - places[None, taken], axis=2).min(axis=1)
        apart[taken] = -1.0
        taken.append(int(apart.argmax()))
    return [front[place] for place in taken]
