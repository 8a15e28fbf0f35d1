"""Quality where answers are orders of candidates: NDCG, the first candidate, and how alike orders are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from edgekd.errors import DataError, SliceError, unknown_name
from edgekd.evaluate.arrays import Hits, Table, Values, Weights
from edgekd.evaluate.predictions import Predictions
from edgekd.evaluate.rank.alike import is_same_first, kendall_tau
from edgekd.evaluate.rank.slices import INCOMING, METRICS, RankRows, incoming_order, select_rows
from edgekd.evaluate.rank.values import align
from edgekd.evaluate.result import Figure
from edgekd.evaluate.scorer import Detail, JudgedRows
from edgekd.stats.bounded import BoundedMean
from edgekd.stats.interval import Interval
from edgekd.stats.proportion import wilson_interval

_LEVEL = 0.95  # of the two-sided intervals of figures that no gate reads


class RankScorer:
    """Scores answers that are scores of candidates [row, place], of which the order alone counts."""

    is_softened = False

    def check(self, predictions: Predictions, rows: JudgedRows, whose: str) -> None:
        """Refuse scores and grades that are not of the same candidates."""
        truth, scores = rows.truth, predictions.outputs
        if truth.ndim != 2 or not np.issubdtype(truth.dtype, np.floating):
            raise DataError(
                f"truth: expected a grade for each candidate of a row, got {truth.dtype} of "
                f"{list(truth.shape)}"
            )
        if len(scores) != len(truth):
            raise DataError(f"predictions of {whose}: expected {len(truth)} rows, got {len(scores)}")
        wanted, got = (truth != -1).sum(1), np.isfinite(scores).sum(1)
        if not (wanted == got).all():
            row = int(np.argmax(wanted != got))
            raise DataError(
                f"predictions of {whose}: row {row} has {wanted[row]} candidates and {got[row]} scores; "
                f"{int((wanted != got).sum())} of {len(truth)} rows differ; answer these rows again"
            )

    def serve(self, predictions: Predictions) -> Table:
        """Return the score of each candidate [row, place]."""
        return np.asarray(predictions.outputs)

    def baselines(self, rows: JudgedRows) -> Mapping[str, Table]:
        """Return the order that came in, as scores [row, place]: what is served without a model."""
        return {INCOMING: incoming_order(rows.truth)}

    def select(self, rows: JudgedRows) -> tuple[RankRows, ...]:
        """Find the rows of every slice."""
        found = []
        for entry in rows.slices:
            if entry.name not in rows.masks:
                raise SliceError(unknown_name("slice", entry.name, rows.masks))
            found.append(select_rows(entry, rows.masks[entry.name], rows.truth))
        return tuple(found)

    def weigh(self, rows: JudgedRows) -> Weights | None:
        """All rows count alike."""
        return None

    def agreement(self, served: Table, taught: Table) -> Hits:
        """Say for each row whether the teacher puts the same candidate first."""
        return is_same_first(served, align(taught, served.shape[1]))

    def describe(
        self, rows: JudgedRows, predictions: Predictions, taught: Table | None, temperature: float
    ) -> Detail:
        """Return every metric of the variant, the teacher and what came in; and how alike orders are."""
        served = self.serve(predictions)
        answers = {"": served, **({} if taught is None else {"teacher": taught}), **self.baselines(rows)}
        found: list[Figure] = []
        for part in self.select(rows):
            if part.rows.any():
                found += _value(part, answers, rows.truth)
                found += () if taught is None else _compare(part, served, taught)
        return Detail(figures=tuple(found))

    def figures(
        self, asked: Sequence[str], rows: JudgedRows, predictions: Predictions, temperature: float
    ) -> dict[str, Interval]:
        """Return nothing: no gate on a figure of its own reads orders."""
        return {}


def _value(part: RankRows, answers: Mapping[str, Table], truth: Table) -> Iterator[Figure]:
    of = {name: scores[part.rows] for name, scores in answers.items()}
    grades = truth[part.rows]
    for metric in METRICS.values():
        values = {name: _mean(metric.value(scores, grades)) for name, scores in of.items()}
        yield Figure(part.name, metric.name, len(grades), values)


def _compare(part: RankRows, served: Table, taught: Table) -> Iterator[Figure]:
    """Say how alike the orders of a slice's rows are to the teacher's."""
    one, other = served[part.rows], align(taught, served.shape[1])[part.rows]
    yield Figure(part.name, "same first as the teacher", len(one), {"": _mean(is_same_first(one, other))})
    taus = kendall_tau(one, other)
    taus = taus[~np.isnan(taus)]
    if len(taus):
        found = BoundedMean.of(taus.clip(-1, 1), least=-1.0).at(0.5 + _LEVEL / 2)
        mean = Interval(found.estimate, found.low, found.high, _LEVEL)
        yield Figure(part.name, "Kendall's tau with the teacher", len(taus), {"": mean}, is_share=False)


def _mean(values: Values) -> Interval:
    if values.dtype == np.bool_:
        return wilson_interval(int(values.sum()), len(values), _LEVEL)
    ends = BoundedMean.of(values).at(0.5 + _LEVEL / 2)
    return Interval(ends.estimate, ends.low, ends.high, _LEVEL)


RANK_SCORER = RankScorer()
