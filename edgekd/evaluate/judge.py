"""Judge predictions slice by slice, against the truth and against references."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgekd.errors import DataError
from edgekd.evaluate.arrays import Hits, Served, Weights
from edgekd.evaluate.class_scorer import CLASS_SCORER
from edgekd.evaluate.predictions import Predictions
from edgekd.evaluate.result import Drop, EvalResult, SliceResult
from edgekd.evaluate.scorer import JudgedRows, Scorer
from edgekd.evaluate.slice_rows import SliceRows
from edgekd.stats.interval import Interval
from edgekd.stats.paired import paired_drop_bound
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

    References are `teacher`, `fp32` and, where there is one, `incumbent`. `temperature` is the artifact's
    own: it changes the calibration figures and no answer. Values carry two-sided intervals, drops one-sided
    bounds.

    Raises:
        DataError: if arrays do not fit one another, before anything is computed.
        SliceError: if a slice has no mask or asks for what the task does not know.
    """
    for name, table in {"candidate": predictions, **references}.items():
        scorer.check(table, rows, name)
    chosen = scorer.select(rows)
    served = {name: scorer.serve(reference) for name, reference in references.items()}
    detail = scorer.describe(rows, predictions, served.get("teacher"), temperature)
    return EvalResult(
        subject=predictions.subject,
        n=len(rows.truth),
        slices=judge_slices(chosen, scorer.serve(predictions), served, rows, scorer.weigh(rows), confidence),
        calibration=detail.calibration,
        reliability=detail.reliability,
        classes=detail.classes,
        confusions=detail.confusions,
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
    tally = Tally.of(values, counted)
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
    )


def _value(part: SliceRows, tally: Tally, confidence: float) -> Interval | None:
    if not tally.right + tally.wrong > 0:
        return None
    if part.sampling == "weighted":
        ends = tally.at(0.5 + confidence / 2)
        return Interval(ends.estimate, ends.low, ends.high, confidence)
    counted = tally.wrong if part.is_better_smaller else tally.right
    return wilson_interval(round(counted), round(tally.right + tally.wrong), confidence)
