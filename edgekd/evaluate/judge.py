"""Judge predictions slice by slice, against the truth and against references."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgekd.config import Slice
from edgekd.errors import DataError
from edgekd.evaluate.arrays import Flags, Hits, Labels
from edgekd.evaluate.calibration import measure_calibration
from edgekd.evaluate.predictions import Predictions
from edgekd.evaluate.reliability import measure_reliability
from edgekd.evaluate.result import Drop, EvalResult, SliceResult
from edgekd.evaluate.slices import SliceRows, select_rows
from edgekd.stats.paired import paired_drop_bound
from edgekd.stats.proportion import wilson_interval


def evaluate(
    predictions: Predictions,
    references: Mapping[str, Predictions],
    truth: Labels,
    labels: Sequence[str],
    slices: Sequence[Slice],
    masks: Mapping[str, Flags],
    *,
    temperature: float = 1.0,
    confidence: float = 0.95,
) -> EvalResult:
    """Evaluate one artifact's predictions on the rows of one split.

    All arrays are in the order of the same rows. References are `teacher`, `fp32` and, where there
    is one, `incumbent`. `temperature` is the artifact's own: it changes the calibration figures and
    no label. Values carry two-sided Wilson intervals, drops one-sided score bounds.

    Raises:
        DataError: if arrays do not fit one another, before anything is computed.
        SliceError: if a slice has no mask or names an unknown class.
    """
    _check(predictions, references, truth, labels)
    chosen = select_rows(slices, masks, truth, labels)
    predicted = predictions.labels
    answers = {name: reference.labels for name, reference in references.items()}
    probabilities = predictions.probabilities(temperature)
    return EvalResult(
        subject=predictions.subject,
        n=len(truth),
        slices=tuple(judge_slice(rows, predicted, answers, truth, confidence) for rows in chosen),
        calibration=measure_calibration(probabilities, truth),
        reliability=measure_reliability(probabilities, truth, labels, slices, masks),
    )


def paired_drop(reference: str, wanted: Hits, got: Hits, confidence: float = 0.95) -> Drop:
    """Estimate how much worse the candidate is on the same examples.

    `wanted` are the reference's hits and `got` the candidate's, in the same order; `reference` is
    its name. Bounds are those of `paired_drop_bound`.

    >>> paired_drop("teacher", np.array([True, True]), np.array([True, False])).estimate
    0.5
    """
    if wanted.shape != got.shape or wanted.ndim != 1 or wanted.size == 0:
        raise DataError(
            f"drop against {reference}: expected the hits of the same examples, "
            f"got {list(wanted.shape)} and {list(got.shape)}"
        )
    lost, gained, n = int((wanted & ~got).sum()), int((got & ~wanted).sum()), len(got)
    low, high = paired_drop_bound(lost, gained, n, confidence)
    return Drop(reference, n, lost, gained, (lost - gained) / n, low, high, confidence)


def judge_slice(
    rows: SliceRows,
    predicted: Labels,
    answers: Mapping[str, Labels],
    truth: Labels,
    confidence: float = 0.95,
) -> SliceResult:
    """Judge one slice's rows; `answers` are those of the references, by name."""
    hits = rows.hits(predicted, truth)
    n = len(hits)
    return SliceResult(
        name=rows.slice.name,
        tier=rows.slice.tier,
        metric=rows.metric,
        margin=rows.slice.margin / 100,
        n=n,
        value=wilson_interval(int(hits.sum()), n) if n else None,
        drops=tuple(
            paired_drop(name, rows.hits(answer, truth), hits, confidence)
            for name, answer in answers.items()
            if n
        ),
    )


def _check(
    predictions: Predictions, references: Mapping[str, Predictions], truth: Labels, labels: Sequence[str]
) -> None:
    if truth.ndim != 1 or not np.issubdtype(truth.dtype, np.integer):
        raise DataError(f"truth: expected one label index a row, got {truth.dtype} of {list(truth.shape)}")
    expected = (len(truth), len(labels))
    for name, table in {"candidate": predictions, **references}.items():
        if table.logits.shape != expected:
            raise DataError(
                f"predictions of {name}: expected {expected[0]} rows of {expected[1]} labels, "
                f"got shape {list(table.logits.shape)}"
            )
    if truth.min() < 0 or truth.max() >= len(labels):
        raise DataError(
            f"truth: a label index must be 0 to {len(labels) - 1}, got {truth.min()} to {truth.max()}"
        )
