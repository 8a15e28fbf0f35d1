"""How many candidates of a first model a second one must read to lose little of its own quality."""

from __future__ import annotations

import numpy as np

from edgekd.evaluate.arrays import Table, Truth
from edgekd.evaluate.rank.values import align, ndcg_at_10, tells_orders_apart
from edgekd.serving.cascade import join_scores, keep_best
from edgekd.stats.bounded import BoundedMean

TRIED = (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40)
"""Numbers of candidates that are tried; a second model that reads more saves little."""
LEAST = 0.995
"""Share of the second model's mean NDCG@10 that both together keep on the rows that choose."""
PROVEN = 0.985
"""Share that these rows must prove, by a one-sided bound at 95 %: a mean of few rows is luck."""


def join_tables(first: Table, second: Table, keep: int) -> Table:
    """Return what both models answer in turn, [row, place], from what each says of all candidates."""
    second = align(second, first.shape[1])
    joined = np.full(first.shape, np.nan, np.float32)
    for row, (one, other) in enumerate(zip(first, second, strict=True)):
        real = ~np.isnan(one)
        kept = keep_best(one[real], keep)
        joined[row, real] = join_scores(one[real], kept, other[real][kept])
    return joined


def choose_keep(first: Table, second: Table, truth: Truth) -> int | None:
    """Return the smallest number that keeps `LEAST` of the second model's NDCG@10, and proves `PROVEN` of it.

    Where rows are too few to prove that of any number, it is the largest one that is tried and still saves.
    None where that does not keep `LEAST` either. Tables are scores [row, place] of validation rows, `truth`
    their grades.
    """
    asked = tells_orders_apart(truth)
    whole = ndcg_at_10(align(second, truth.shape[1])[asked], truth[asked])
    found = None
    for keep in (keep for keep in TRIED if keep < truth.shape[1]):
        kept = ndcg_at_10(align(join_tables(first, second, keep), truth.shape[1])[asked], truth[asked])
        found = keep if float(kept.mean()) >= LEAST * float(whole.mean()) else None
        if found and BoundedMean.of((kept - PROVEN * whole).astype(np.float64), least=-1.0).at(0.95).low >= 0:
            return keep
    return found
