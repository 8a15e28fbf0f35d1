"""Reviewed rows, shown several times an epoch."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int64


def oversampled_rows(
    reviewed: Bool[np.ndarray, " row"], times: int, *, seed: int, epoch: int
) -> Int64[np.ndarray, " drawn"]:
    """Return the row numbers of an epoch in random order: reviewed rows `times` times, others once.

    Over an epoch this adds up to a weight of `times`, in several small steps in the place of one
    large; with such a weight as well, the two multiply. The order depends on seed and epoch alone,
    so that a run that was killed goes on alike.

    Args:
        reviewed: Whether a person has looked at a row.
        times: How often a reviewed row is shown an epoch, at least 1.
        seed: Of the run.
        epoch: Counted from 0.
    """
    rows = np.repeat(np.arange(len(reviewed), dtype=np.int64), np.where(reviewed, times, 1))
    return np.random.default_rng((seed, epoch)).permutation(rows)
