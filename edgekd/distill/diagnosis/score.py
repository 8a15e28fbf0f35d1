"""The promotion score: which epoch's weights are kept, by held-out rows and never by training loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from edgekd.distill.logs.events import EpochSummary
from edgekd.errors import DataError, unknown_name
from edgekd.evaluate.arrays import Labels, Scores
from edgekd.evaluate.calibration import expected_calibration_error

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
    """Return the number of the epoch with the highest promotion score, the first of equals.

    An epoch that failed a gate (`checkpoint_promotable` is false) is never best. None where no epoch may
    be promoted.
    """
    open_to = [epoch for epoch in epochs if epoch.checkpoint_promotable is not False]
    scores = promotion_scores([promotion_terms(epoch) for epoch in open_to])
    pairs = zip(scores, open_to, strict=True)
    best = max(pairs, key=lambda pair: (pair[0], -pair[1].epoch), default=None)
    return None if best is None else best[1].epoch


def validation_figures(
    logits: Scores, teacher: Scores | None, classes: Labels, critical: Iterable[int] = ()
) -> dict[str, float]:
    """Judge a classifier on validation rows: what an `EpochSummary` of an intent student takes.

    `critical` are the classes whose recall, taken together, is the safety recall; without a row of them
    there is none. Without a teacher the labels stand for its answers. Calibration is of the bare
    softmax, before any temperature is fitted.
    """
    answers = logits.argmax(axis=1)
    taught = classes if teacher is None else teacher.argmax(axis=1)
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    found = {
        "val_accuracy": float((answers == classes).mean()),
        "teacher_preference_match": float((answers == taught).mean()),
        "calibration_ece": expected_calibration_error(powers / powers.sum(axis=1, keepdims=True), classes),
    }
    grave = np.isin(classes, list(critical))
    if grave.any():
        found["safety_recall"] = float((answers == classes)[grave].mean())
    return found
