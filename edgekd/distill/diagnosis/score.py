"""Which epoch's weights are kept, by held-out rows and never by training loss: the promotion score.

A task whose answers no rate describes chooses by one figure of its own, which its log names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from edgekd.distill.logs.training_events import EpochSummary
from edgekd.errors import DataError, unknown_name

PROMOTION_SCORE = "promotion_score"
"""The figure that epochs are chosen by where their log names no other; it is added up from their rates."""
WEIGHTS: Mapping[str, float] = {
    "teacher_match": 0.35,
    "human_win": 0.25,
    "safety_recall": 0.2,
    "hallucination": -0.1,
    "ece": -0.1,
}
"""What each term adds to the score; a negative weight is of a term that should be small."""


def promotion_score(terms: Mapping[str, float], weights: Mapping[str, float] = WEIGHTS) -> float:
    """Add up the weighted terms; a term that is not there is held constant, at nothing.

    Raises:
        DataError: if a term has no weight.

    >>> round(promotion_score({"teacher_match": 0.86, "ece": 0.06}), 4)
    0.295
    """
    for term in terms:
        if term not in weights:
            raise DataError(f"promotion score: {unknown_name('term', term, weights)}")
    return sum(weights[term] * value for term, value in terms.items())


def promotion_scores(
    epochs: Sequence[Mapping[str, float]], weights: Mapping[str, float] = WEIGHTS
) -> list[float]:
    """Score epochs that are to be compared: a term that one of them lacks is left out of all."""
    shared = set.intersection(*(set(terms) for terms in epochs)) if epochs else set()
    return [
        promotion_score({term: terms[term] for term in terms if term in shared}, weights) for terms in epochs
    ]


def promotion_terms(epoch: EpochSummary) -> dict[str, float]:
    """Return the terms that an epoch's figures give.

    Where a task has no safety recall, refusal precision stands in its place; where it has no teacher
    match, accuracy does.
    """
    match, safety = epoch.teacher_preference_match, epoch.safety_recall
    found = {
        "teacher_match": epoch.val_accuracy if match is None else match,
        "human_win": epoch.human_win_rate_vs_base,
        "safety_recall": epoch.refusal_precision if safety is None else safety,
        "hallucination": epoch.hallucination_rate,
        "ece": epoch.calibration_ece,
    }
    return {term: value for term, value in found.items() if value is not None}


def best_epoch(epochs: Sequence[EpochSummary]) -> int | None:
    """Return the number of the epoch with the best figure that epochs are chosen by, the first of equals.

    An epoch that failed a gate (`checkpoint_promotable` is false) is never best. None where no epoch may
    be promoted.
    """
    open_to = [epoch for epoch in epochs if epoch.checkpoint_promotable is not False]
    pairs = zip(_scores(open_to), open_to, strict=True)
    best = max(pairs, key=lambda pair: (pair[0], -pair[1].epoch), default=None)
    return None if best is None else best[1].epoch


def _scores(epochs: Sequence[EpochSummary]) -> list[float]:
    """Return what each epoch is chosen by; higher is better."""
    if all(epoch.chosen_by is None for epoch in epochs):
        return promotion_scores([promotion_terms(epoch) for epoch in epochs])
    values = [(epoch.chosen_value, epoch.is_higher_better) for epoch in epochs]
    return [-math.inf if value is None else value if is_up else -value for value, is_up in values]
