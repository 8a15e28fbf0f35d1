"""Which operators stay in fp32 so that no slice of traffic pays for the others' speed.

Start from everything rounded. While a slice's drop, by its upper bound on validation rows, is over its goal,
restore what is predicted to bring that slice most hits for its cost, then evaluate the compiled model again.
Predictions come from `sensitivity`: restoring an operator takes its shift back out of every row's margin. So
one pass over texts ranks all operators, and each evaluation of the model is one of a whole new choice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgekd.compile.sensitivity import Operator, Shifts
from edgekd.evaluate.drop import paired_drop
from edgekd.evaluate.record import Record
from edgekd.evaluate.result import Drop
from edgekd.evaluate.slice_rows import SliceRows

Logits = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
# Share of the best gain under which an operator waits for the next evaluation.
_SMALL = 0.25
Answer = Callable[[frozenset[str]], Logits]


@dataclass(frozen=True)
class Bound(Record):
    """A slice's drop against the reference, its upper bound, and the bound it should keep; shares of rows."""

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
    operators: Sequence[Operator],
    found: Shifts,
    slices: Sequence[SliceRows],
    truth: Labels,
    reference: Labels,
    exact: Labels,
    answer: Answer,
) -> tuple[Step, ...]:
    """Return the evaluations made, the last of them the choice.

    All labels are of the same rows [row]: the truth, what the reference answers and what the student answers
    in fp32. `answer` compiles the model with some operators left in fp32 and returns its logits [row, label].
    A slice's goal is its margin, or what fp32 itself keeps where that is more: rounding is undone, no more.
    """
    goals = [max(rows.margin or 0.0, _bound(rows, truth, reference, exact).high) for rows in slices]
    cost = _costs(operators, found)
    kept: list[int] = []
    steps: list[Step] = []
    noise = 0.0
    while True:
        logits = answer(frozenset(operators[place].name for place in kept))
        predicted = logits.argmax(1)
        bounds = tuple(
            Bound(rows.name, drop.estimate, drop.high, goal)
            for rows, goal in zip(slices, goals, strict=True)
            for drop in [_bound(rows, truth, reference, predicted)]
        )
        steps.append(Step(tuple(operators[place].name for place in sorted(kept)), bounds))
        left = [place for place in range(len(operators)) if place not in kept and found.shifts[place].any()]
        if not left or not any(bound.is_over for bound in bounds):
            return tuple(steps)
        margins = _margins(logits, truth)
        if not kept:
            noise = float((margins - found.margins - found.shifts.sum(0)).std()) + 1e-6
        lacking = [
            (bound.high - bound.goal) * rows.rows.sum() for bound, rows in zip(bounds, slices, strict=True)
        ]
        worst = int(np.argmax(lacking))
        kept += _choose(
            found.shifts[:, slices[worst].rows],
            margins[slices[worst].rows],
            left,
            cost,
            noise,
            lacking[worst],
        )


def _choose(
    shifts: Logits,
    margins: Logits,
    left: list[int],
    cost: npt.NDArray[np.float64],
    noise: float,
    lacking: float,
) -> list[int]:
    """Take operators until they are predicted to bring the hits that are lacking; one at the least."""
    chosen: list[int] = []
    now = margins
    hits = start = _hits(now, noise)
    first = 0.0
    while len(chosen) < len(left) and (not chosen or hits - start < lacking):
        rest = [place for place in left if place not in chosen]
        gains = np.array([_hits(now - shifts[place], noise) for place in rest]) - hits
        best = int(np.argmax(gains / cost[rest]))
        if chosen and gains[best] < _SMALL * first:
            break  # shifts are of the first order: look at what the large ones really brought
        if gains[best] <= 0:  # none helps by itself: the one that moves this slice most
            return [max(rest, key=lambda place: float((shifts[place] ** 2).sum() / cost[place]))]
        first = first or gains[best]
        chosen.append(rest[best])
        now = now - shifts[rest[best]]
        hits += gains[best]
    return chosen


def _hits(margins: Logits, noise: float) -> float:
    """Expected hits where margins are known up to some noise (logistic with that scale)."""
    return float((1 / (1 + np.exp(-np.clip(margins / noise, -30, 30)))).sum())


def _costs(operators: Sequence[Operator], found: Shifts) -> npt.NDArray[np.float64]:
    """Share of the model's bytes plus share of its multiplications [operator]."""
    size = np.array([one.weights.size for one in operators], np.float64)
    return np.asarray(size / size.sum() + found.work / max(1.0, float(found.work.sum())))


def _margins(logits: Logits, truth: Labels) -> Logits:
    rows = np.arange(len(truth))
    others = logits.copy()
    others[rows, truth] = -np.inf
    return np.asarray(logits[rows, truth] - others.max(1), np.float32)


def _bound(rows: SliceRows, truth: Labels, reference: Labels, predicted: Labels) -> Drop:
    return paired_drop("reference", rows.values(reference, truth), rows.values(predicted, truth))
