"""Judge predictions slice by slice, against the truth and against references."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgekd.evaluate.arrays import Served, Values, Weights
from edgekd.evaluate.classify.scorer import CLASS_SCORER
from edgekd.evaluate.drop import paired_drop
from edgekd.evaluate.predictions import Predictions
from edgekd.evaluate.result import EvalResult, SliceResult
from edgekd.evaluate.scorer import JudgedRows, Scorer, find_baselines
from edgekd.evaluate.slice_rows import SliceRows
from edgekd.stats.bounded import BoundedMean
from edgekd.stats.interval import Interval
from edgekd.stats.proportion import wilson_interval
from edgekd.stats.tally import Tally


def evaluate(
    predictions: Predictions,
    references: Mapping[str, Predictions],
    rows: JudgedRows,
    scorer: Scorer = CLASS_SCORER,
    *,
    temperature: float = 1.0,
    confidence: float = 0.95,
) -> EvalResult:
    """Evaluate one artifact's predictions on the rows of one split.

    References are `teacher`, `fp32` and, where there is one, `incumbent`; answers that come with the rows are
    judged beside them. `temperature` is the artifact's own: it changes the calibration figures and no answer.
    Values carry two-sided intervals, drops one-sided bounds.

    Raises:
        DataError: if arrays do not fit one another, before anything is computed.
        SliceError: if a slice has no mask or asks for what the task does not know.
    """
    for name, table in {"candidate": predictions, **references}.items():
        scorer.check(table, rows, name)
    baselines = find_baselines(scorer, rows)
    chosen = scorer.select(rows)
    served = {name: scorer.serve(reference) for name, reference in references.items()}
    detail = scorer.describe(rows, predictions, served.get("teacher"), temperature)
    return EvalResult(
        subject=predictions.subject,
        n=len(rows.truth),
        slices=judge_slices(
            chosen,
            scorer.serve(predictions),
            {**served, **baselines},
            rows,
            scorer.weigh(rows),
            confidence,
        ),
        calibration=detail.calibration,
        reliability=detail.reliability,
        classes=detail.classes,
        confusions=detail.confusions,
        figures=detail.figures,
    )


def judge_slices(
    chosen: Sequence[SliceRows],
    served: Served,
    references: Mapping[str, Served],
    rows: JudgedRows,
    weights: Weights | None = None,
    confidence: float = 0.95,
) -> tuple[SliceResult, ...]:
    """Judge the rows of every slice; `references` are what each reference answers, by its name."""
    return tuple(_judge_slice(part, served, references, rows, weights, confidence) for part in chosen)


def _judge_slice(
    part: SliceRows,
    served: Served,
    references: Mapping[str, Served],
    rows: JudgedRows,
    weights: Weights | None,
    confidence: float,
) -> SliceResult:
    judged, values = part.judged(served, rows.truth)
    counted = None if weights is None or part.sampling != "weighted" else weights[judged]
    tally = _tally(values, counted)
    n = len(values)
    return SliceResult(
        name=part.name,
        tier=part.slice.tier,
        metric=part.metric,
        margin=part.margin,
        n=n,
        value=_value(part, tally, confidence),
        drops=tuple(
            paired_drop(name, part.values(answer, rows.truth), values, confidence)
            for name, answer in references.items()
            if n and part.is_paired
        ),
        at_least=part.at_least,
        at_most=part.at_most,
        tally=tally,
        sampling=part.sampling,
        above=part.above,
        left_out=part.left_out,
        reference_values={
            name: mean
            for name, answer in references.items()
            if not part.are_hits
            and (mean := _value(part, _tally(part.values(answer, rows.truth), None), confidence))
        },
    )


def _tally(values: Values, weights: Weights | None) -> Tally | BoundedMean | None:
    """Keep what bounds of the mean need: counts of hits, or how many rows have which value."""
    if values.dtype == np.bool_:
        return Tally.of(values, weights)
    return BoundedMean.of(values) if len(values) else None


def _value(part: SliceRows, tally: Tally | BoundedMean | None, confidence: float) -> Interval | None:
    """Return the metric with a two-sided interval."""
    if isinstance(tally, Tally) and tally.right + tally.wrong > 0 and part.sampling != "weighted":
        counted = tally.wrong if part.is_better_smaller else tally.right
        return wilson_interval(round(counted), round(tally.right + tally.wrong), confidence)
    if tally is None or not tally.share >= 0:
        return None
    ends = tally.at(0.5 + confidence / 2)
    return Interval(ends.estimate, ends.low, ends.high, confidence)
