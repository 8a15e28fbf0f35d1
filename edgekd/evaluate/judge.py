"""Judge predictions slice by slice, against the truth and against references."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from edgekd.config import Slice
from edgekd.errors import DataError
from edgekd.evaluate.arrays import Flags, Labels
from edgekd.evaluate.calibration import measure_calibration
from edgekd.evaluate.classes import find_confusions, judge_classes
from edgekd.evaluate.drop import paired_drop
from edgekd.evaluate.predictions import Predictions
from edgekd.evaluate.reliability import measure_reliability
from edgekd.evaluate.result import EvalResult, SliceResult
from edgekd.evaluate.slices import SliceRows, select_rows, traffic_weights
from edgekd.stats.interval import Interval
from edgekd.stats.proportion import wilson_interval
from edgekd.stats.tally import Tally


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
    traffic: Flags | None = None,
) -> EvalResult:
    """Evaluate one artifact's predictions on the rows of one split.

    All arrays are in the order of the same rows. References are `teacher`, `fp32` and, where there
    is one, `incumbent`. `temperature` is the artifact's own: it changes the calibration figures and
    no label. `traffic` marks the rows drawn as traffic comes, where some classes have extra rows: precision,
    false alarms and calibration mind it. Values carry two-sided Wilson intervals, drops one-sided score
    bounds.

    Raises:
        DataError: if arrays do not fit one another, before anything is computed.
        SliceError: if a slice has no mask or names an unknown class.
    """
    _check(predictions, references, truth, labels)
    chosen = select_rows(slices, masks, truth, labels, traffic)
    predicted = predictions.labels
    answers = {name: reference.labels for name, reference in references.items()}
    probabilities = predictions.probabilities(temperature)
    drawn = np.ones(len(truth), np.bool_) if traffic is None else traffic
    return EvalResult(
        subject=predictions.subject,
        n=len(truth),
        slices=judge_slices(chosen, predicted, answers, truth, traffic, confidence),
        calibration=measure_calibration(probabilities[drawn], truth[drawn]),
        reliability=measure_reliability(probabilities, truth, labels, slices, masks, traffic),
        classes=judge_classes(predicted, answers.get("teacher"), truth, labels, traffic),
        confusions=find_confusions(predicted, truth, labels),
    )


def judge_slices(
    chosen: Sequence[SliceRows],
    predicted: Labels,
    answers: Mapping[str, Labels],
    truth: Labels,
    traffic: Flags | None = None,
    confidence: float = 0.95,
) -> tuple[SliceResult, ...]:
    """Judge the rows of every slice; `answers` are those of the references, by name."""
    weights = None if traffic is None else traffic_weights(truth, traffic)
    return tuple(_judge_slice(rows, predicted, answers, truth, weights, confidence) for rows in chosen)


def _judge_slice(
    rows: SliceRows,
    predicted: Labels,
    answers: Mapping[str, Labels],
    truth: Labels,
    weights: npt.NDArray[np.float64] | None,
    confidence: float,
) -> SliceResult:
    if rows.is_paired:
        hits = rows.hits(predicted, truth)
        tally = Tally.of(hits)
    else:
        called, hits = rows.called_hits(predicted, truth)
        tally = Tally.of(hits, None if weights is None else weights[called])
    n = len(hits)
    return SliceResult(
        name=rows.name,
        tier=rows.slice.tier,
        metric=rows.metric,
        margin=rows.margin,
        n=n,
        value=_value(rows, tally, confidence),
        drops=tuple(
            paired_drop(name, rows.hits(answer, truth), hits, confidence)
            for name, answer in answers.items()
            if n and rows.is_paired
        ),
        at_least=rows.at_least,
        at_most=rows.at_most,
        tally=tally,
        sampling=rows.sampling,
    )


def _value(rows: SliceRows, tally: Tally, confidence: float) -> Interval | None:
    if not tally.right + tally.wrong > 0:
        return None
    if rows.sampling == "weighted":
        ends = tally.at(0.5 + confidence / 2)
        return Interval(ends.estimate, ends.low, ends.high, confidence)
    counted = tally.wrong if rows.metric == "false_alarm" else tally.right
    return wilson_interval(round(counted), round(tally.right + tally.wrong), confidence)


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
