"""Each class on its own: how many rows, recall and precision of a model and its teacher, and confusions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edgekd.evaluate.arrays import Flags, Labels
from edgekd.evaluate.classify.slices import traffic_weights
from edgekd.evaluate.result import ClassResult, Confusion
from edgekd.stats.interval import Interval
from edgekd.stats.tally import Tally

_LEVEL = 0.975  # each end; the two together hold 95 %


def judge_classes(
    predicted: Labels,
    taught: Labels | None,
    truth: Labels,
    labels: Sequence[str],
    traffic: Flags | None = None,
) -> tuple[ClassResult, ...]:
    """Judge every class that has a row or an answer, the one of the lowest recall first.

    `predicted` and `taught` (the teacher's answers, where there are any) are label indices in the order of
    `truth`. Where some classes have extra rows, `traffic` marks the others: precision then counts each row
    as traffic would.
    """
    weights = None if traffic is None else traffic_weights(truth, traffic)
    results = []
    for place, name in enumerate(labels):
        rows = truth == place
        if not rows.any() and not (predicted == place).any():
            continue
        results.append(
            ClassResult(
                name=name,
                n=int(rows.sum()),
                recall=_recall(predicted, rows, place),
                precision=_precision(predicted, truth, place, weights),
                teacher_recall=None if taught is None else _recall(taught, rows, place),
                teacher_precision=None if taught is None else _precision(taught, truth, place, weights),
            )
        )
    results.sort(key=lambda one: 2.0 if one.recall is None else one.recall.estimate)
    return tuple(results)


def find_confusions(predicted: Labels, truth: Labels, labels: Sequence[str]) -> tuple[Confusion, ...]:
    """Count the rows of every pair of a true class and another one that was answered, most rows first."""
    wrong = predicted != truth
    pairs, counts = np.unique(np.stack([truth[wrong], predicted[wrong]]), axis=1, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return tuple(
        Confusion(labels[pairs[0, at]], labels[pairs[1, at]] if pairs[1, at] >= 0 else "", int(counts[at]))
        for at in order
    )


def _recall(predicted: Labels, rows: Flags, place: int) -> Interval | None:
    return _interval(Tally.of(predicted[rows] == place))


def _precision(
    predicted: Labels, truth: Labels, place: int, weights: npt.NDArray[np.float64] | None
) -> Interval | None:
    called = predicted == place
    return _interval(Tally.of(truth[called] == place, None if weights is None else weights[called]))


def _interval(tally: Tally) -> Interval | None:
    if not tally.right + tally.wrong > 0:
        return None
    ends = tally.at(_LEVEL)
    return Interval(ends.estimate, ends.low, ends.high, 2 * _LEVEL - 1)
