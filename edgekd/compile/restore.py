"""Which operators stay in fp32 so that no slice of traffic pays for the others' speed.

Start from everything rounded. While a slice's drop, by its upper bound on validation rows, is over its goal,
restore what is predicted to bring that slice most for its cost, then evaluate the compiled model again.
Predictions come from `sensitivity`: restoring an operator takes its shift back out of every row's standing.
So one pass over texts ranks all operators, and each evaluation of the model is one of a whole new choice.
What an answer is worth, and what a slice loses, is the yardstick's to say: hits, scores or orders alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from edgekd.compile.sensitivity import Operator, Shifts
from edgekd.compile.yardstick import Outputs, Yardstick
from edgekd.evaluate.arrays import Flags
from edgekd.evaluate.record import Record
from edgekd.evaluate.slice_rows import SliceRows

# Share of the best gain under which an operator waits for the next evaluation.
_SMALL = 0.25
# Share of its margin by which a slice of values may lie over what fp32 keeps. Where rows are hits, most stay
# as they are under any rounding; values all move a little, and fp32's very own bound would ask for fp32.
_NEAR = 0.1
Answer = Callable[[frozenset[str]], Outputs]


@dataclass(frozen=True)
class Bound(Record):
    """A slice's drop against the reference, its upper bound, and the bound it should keep; mean values."""

    slice: str
    drop: float
    high: float
    goal: float

    @property
    def is_over(self) -> bool:
        """Whether the bound is not kept."""
        return self.high > self.goal


@dataclass(frozen=True)
class Step(Record):
    """One evaluation of the model: what was restored, and every slice's bound."""

    restored: tuple[str, ...]
    bounds: tuple[Bound, ...]


def restore(
    operators: Sequence[Operator], found: Shifts, yardstick: Yardstick, answer: Answer
) -> tuple[Step, ...]:
    """Return the evaluations made, the last of them the choice.

    `answer` compiles the model with some operators left in fp32 and returns its outputs [row, output] to the
    yardstick's rows. A slice's goal is its margin, or what fp32 itself keeps where that is more: rounding is
    undone, no more.
    """
    slices = yardstick.slices
    goals = [_find_goal(part, yardstick.drop_in_fp32(part).high) for part in slices]
    cost = _costs(operators, found)
    kept: list[int] = []
    steps: list[Step] = []
    noise = 0.0
    while True:
        outputs = answer(frozenset(operators[place].name for place in kept))
        bounds = tuple(
            Bound(part.name, drop.estimate, drop.high, goal)
            for part, goal in zip(slices, goals, strict=True)
            for drop in [yardstick.drop(part, outputs)]
        )
        steps.append(Step(tuple(operators[place].name for place in sorted(kept)), bounds))
        left = [place for place in range(len(operators)) if place not in kept and found.shifts[place].any()]
        if not left or not any(bound.is_over for bound in bounds):
            return tuple(steps)
        standing = yardstick.standing.stand(outputs)
        if not kept:
            unexplained = standing - found.standing - found.shifts.sum(0)
            noise = float(unexplained[~np.isnan(unexplained)].std()) + 1e-6
        lacking = [
            (bound.high - bound.goal) * part.rows.sum() for bound, part in zip(bounds, slices, strict=True)
        ]
        worst = int(np.argmax(lacking))
        kept += _choose(
            Hurt(slices[worst].rows, standing, partial(yardstick.standing.value, slices[worst], noise=noise)),
            found.shifts,
            left,
            cost,
            lacking[worst],
        )


def _find_goal(part: SliceRows, exact: float) -> float:
    """Return the bound that a slice is to keep; `exact` is the one in fp32."""
    margin = part.margin or 0.0
    return max(margin, exact if part.are_hits else exact + _NEAR * margin)


@dataclass(frozen=True, eq=False)
class Hurt:
    """The slice that lacks most: its rows, where all rows stand [row, number], and what that is worth."""

    rows: Flags
    standing: Outputs
    value: Callable[[Outputs], float]


def _choose(
    hurt: Hurt, shifts: Outputs, left: list[int], cost: npt.NDArray[np.float64], lacking: float
) -> list[int]:
    """Take operators until they are predicted to bring the value that is lacking; one at the least."""
    chosen: list[int] = []
    now = hurt.standing
    worth = start = hurt.value(now)
    first = 0.0
    while len(chosen) < len(left) and (not chosen or worth - start < lacking):
        rest = [place for place in left if place not in chosen]
        gains = np.array([hurt.value(now - shifts[place]) for place in rest]) - worth
        best = int(np.argmax(gains / cost[rest]))
        if chosen and gains[best] < _SMALL * first:
            break  # shifts are of the first order: look at what the large ones really brought
        if gains[best] <= 0:  # none helps by itself: the one that moves this slice most
            moves = {place: float((shifts[place][hurt.rows] ** 2).sum()) for place in rest}
            return [max(rest, key=lambda place: moves[place] / cost[place])]
        first = first or gains[best]
        chosen.append(rest[best])
        now = now - shifts[rest[best]]
        worth += gains[best]
    return chosen


def _costs(operators: Sequence[Operator], found: Shifts) -> npt.NDArray[np.float64]:
    """Share of the model's bytes plus share of its multiplications [operator]."""
    size = np.array([one.weights.size for one in operators], np.float64)
    return np.asarray(size / size.sum() + found.work / max(1.0, float(found.work.sum())))
