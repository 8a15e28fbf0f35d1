"""A decision bias per class: what is added to a class's score so that its floor is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import product

import numpy as np
import numpy.typing as npt

from edgekd.evaluate.arrays import Flags, Labels, Scores
from edgekd.evaluate.classify.slices import ClassRows
from edgekd.evaluate.record import Record
from edgekd.stats.tally import Tally

ENOUGH = 300
"""Rows of a class under which a fit rests on too few."""
_LEVEL, ROOM = 0.95, 0.9999
"""What proves a limit here, and what leaves room: as many other rows would prove it, too, in 9 of 10 draws,
had the bias not been chosen on these; as it was, in somewhat fewer."""
_LARGEST = 6.0  # e^6: a class chosen at a 400th of the likeliest one's probability
_STEPS = (2.0, 1.0, 0.5, 0.25, 0.1)


@dataclass(frozen=True)
class BiasFit(Record):
    """What is added to the log probability of each class, and what it does to the rows that it was fitted on.

    Attributes:
        bias: by class; classes without one are left out.
        unmet: slices whose limit these rows do not prove, whatever the bias.
        thin: rows of each class that has a floor and fewer than `ENOUGH` rows.
        accuracy_before, accuracy_after: on rows drawn as traffic comes; their difference is the price.
    """

    bias: dict[str, float] = field(default_factory=dict)
    unmet: tuple[str, ...] = ()
    thin: dict[str, int] = field(default_factory=dict)
    accuracy_before: float = 0.0
    accuracy_after: float = 0.0


def fit_bias(
    scores: Scores,
    truth: Labels,
    labels: Sequence[str],
    slices: Sequence[ClassRows],
    traffic: Flags | None = None,
) -> BiasFit:
    """Find the bias that costs the fewest right answers in traffic and has these rows prove every floor.

    The choice becomes argmax(score + bias), with `scores` the logits over the temperature. Classes with a
    floor on their recall may get a bias of at most 6, and one below 0 where false alarms have a limit. Limits
    on false alarms and floors on accuracy count as floors do. A search by coordinates: a step is taken if it
    leaves less missing to the limits (by one-sided 95 % bounds, each as a share of the errors that its limit
    allows, summed over slices); or as much, and less by 99.99 % bounds, since a limit that these rows barely
    prove is proven by other rows in half of all draws; or as much of both and more traffic rows right. Where
    false alarms have a limit, all rows count there, extra rows of critical classes among them: recall takes
    what room the limit leaves. Nothing is random. Fit it on validation rows.

    Source: cost-sensitive choice, Elkan, C. (2001), The foundations of cost-sensitive learning, IJCAI.
    """
    limited = [rows for rows in slices if rows.is_paired and rows.floor is not None]
    of_recall = [rows.classes for rows in limited if rows.metric == "recall" and rows.classes is not None]
    places = np.unique(np.concatenate(of_recall)) if of_recall else np.array([], np.int64)
    drawn = np.ones(len(truth), np.bool_) if traffic is None else traffic
    search = _Search(scores.astype(np.float64), truth, limited, places, drawn)
    bias = search.run()
    predicted = search.answers(bias)
    thin = {labels[place]: n for place in places if (n := int((truth == place).sum())) < ENOUGH}
    return BiasFit(
        bias={labels[place]: round(float(bias[place]), 2) for place in places if bias[place]},
        unmet=tuple(rows.name for rows in limited if _is_unmet(rows, predicted, truth)),
        thin=thin,
        accuracy_before=float((search.answers(np.zeros_like(bias)) == truth)[drawn].mean()),
        accuracy_after=float((predicted == truth)[drawn].mean()),
    )


class _Search:
    """Steps of one class at a time."""

    def __init__(
        self, scores: Scores, truth: Labels, slices: Sequence[ClassRows], places: Labels, drawn: Flags
    ) -> None:
        self._scores, self._truth, self._slices, self._places = scores, truth, slices, places
        self._sizes = [int(rows.rows.sum()) for rows in slices]
        self._floors = [rows.floor or 0.0 for rows in slices]
        is_limited = any(rows.at_most is not None for rows in slices)
        self._least = -_LARGEST if is_limited else 0.0
        self._counted = np.ones_like(drawn) if is_limited else drawn

    def answers(self, bias: npt.NDArray[np.float64]) -> Labels:
        """Return the label chosen for each row."""
        return np.asarray((self._scores + bias).argmax(axis=1))

    def run(self) -> npt.NDArray[np.float64]:
        """Return the bias of every label."""
        bias = np.zeros(self._scores.shape[1])
        best = self._price(bias)
        improved = bool(len(self._places))
        while improved:
            improved = False
            tried = [(self._price(other), other.tolist()) for other in self._neighbours(bias)]
            price, found = min(tried)
            if price < best:
                bias, best, improved = np.array(found), price, True
        return bias

    def _neighbours(self, bias: npt.NDArray[np.float64]) -> list[npt.NDArray[np.float64]]:
        found = []
        for place, step, sign in product(self._places, _STEPS, (1, -1)):
            other = bias.copy()
            other[place] = round(float(np.clip(bias[place] + sign * step, self._least, _LARGEST)), 2)
            found.append(other)
        return found

    def _price(self, bias: npt.NDArray[np.float64]) -> tuple[float, float, float]:
        predicted = self.answers(bias)
        hits = [int(rows.values(predicted, self._truth).sum()) for rows in self._slices]
        missing, room = (
            round(sum(map(_missing, hits, self._sizes, self._floors, [level] * len(hits))), 9)
            for level in (_LEVEL, ROOM)
        )
        right = float((predicted == self._truth)[self._counted].sum())
        return missing, room, -right + 1e-3 * float(np.abs(bias).sum())


def _is_unmet(rows: ClassRows, predicted: Labels, truth: Labels) -> bool:
    hits = rows.values(predicted, truth)
    return _missing(int(hits.sum()), len(hits), rows.floor or 0.0) > 0


@cache
def _missing(hits: int, rows: int, floor: float, level: float = _LEVEL) -> float:
    """Return how far the lower bound of that level is under the floor, as a share of the errors allowed.

    0 where it keeps the floor, or where there is no row.
    """
    if not rows:
        return 0.0
    return max(0.0, floor - Tally(hits, rows - hits, hits, rows - hits).at(level).low) / (1 - floor)
