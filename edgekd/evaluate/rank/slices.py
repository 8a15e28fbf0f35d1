"""Slices where answers are orders of candidates: which rows one judges, and what an order is worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from edgekd.config import Slice
from edgekd.errors import SliceError, unknown_name
from edgekd.evaluate.arrays import Flags, Table, Values
from edgekd.evaluate.rank.values import is_best_first, mrr_at_10, ndcg_at_10, tells_orders_apart
from edgekd.evaluate.result import Above
from edgekd.evaluate.slice_rows import SliceRows

INCOMING = "incoming"
"""The order that came in: what there is without any model."""
BASELINES: Mapping[str, str] = {INCOMING: "the order that came in"}
"""What each baseline is, in words."""


@dataclass(frozen=True)
class Metric:
    """One way to value an order: its name in tables, and the value of each row [row]."""

    name: str
    value: Callable[[Table, Table], Values]
    are_hits: bool = False


METRICS: Mapping[str, Metric] = {
    "ndcg_at_10": Metric("NDCG@10", ndcg_at_10),
    "top1": Metric("top-1", is_best_first, are_hits=True),
    "mrr_at_10": Metric("MRR@10", mrr_at_10),
}
"""By the name that a slice gives; the first is meant where it gives none."""


@dataclass(frozen=True, eq=False, kw_only=True)
class RankRows(SliceRows):
    """Rows of a slice by one value of their orders: those whose judged candidates have two grades or more."""

    value: Metric

    @property
    def are_hits(self) -> bool:
        """Whether an order is right or wrong, by its first candidate; else it has a value from 0 to 1."""
        return self.value.are_hits

    def values(self, served: Table, truth: Table) -> Values:
        """Value the order of each of the slice's rows by scores and grades [row, place]."""
        return self.value.value(served[self.rows], truth[self.rows])


def select_rows(entry: Slice, mask: Flags, truth: Table) -> RankRows:
    """Find the rows of a slice that say which order is better.

    A slice that must be proven is to better the order that came in, unless it says otherwise.

    Raises:
        SliceError: it asks for a metric or a baseline that there is not.
    """
    if entry.classes:
        raise SliceError(f"slice '{entry.name}': an order of candidates has no classes; use metric")
    metric = METRICS.get(entry.metric or next(iter(METRICS)))
    if metric is None:
        raise SliceError(f"slice '{entry.name}': {unknown_name('metric', str(entry.metric), METRICS)}")
    asked = entry.above
    if asked is None:
        asked = {INCOMING: 0.0} if entry.tier == "prove" else {}
    if unknown := [name for name in asked if name not in BASELINES]:
        raise SliceError(f"slice '{entry.name}': above: {unknown_name('baseline', unknown[0], BASELINES)}")
    rows = mask & tells_orders_apart(truth)
    return RankRows(
        slice=entry,
        name=entry.name,
        metric=metric.name,
        rows=rows,
        left_out=int(mask.sum() - rows.sum()),
        margin=None if entry.margin is None else entry.margin / 100,
        at_least=None if entry.at_least is None else entry.at_least / 100,
        above=tuple(Above(name, BASELINES[name], points / 100) for name, points in asked.items()),
        value=metric,
    )


def incoming_order(truth: Table) -> Table:
    """Return scores [row, place] that leave the candidates as they came in; NaN where there is none."""
    return np.where(truth == -1, np.nan, -np.arange(truth.shape[1], dtype=np.float32)).astype(np.float32)
