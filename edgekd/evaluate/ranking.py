"""Whether an order of candidates is right where it is read: at the top."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from edgekd.errors import DataError

Gain = Literal["linear", "exponential"]
"""What a relevance r is worth: r (Jarvelin and Kekalainen 2002) or 2^r - 1 (Burges et al. 2005)."""


def ndcg(
    relevance: Int[np.ndarray, " candidate"], scores: Float[np.ndarray, " candidate"], *, at: int, gain: Gain
) -> float:
    """Return the discounted gain of one query's first `at` candidates over that of the best order.

    Between 0 and 1; NaN where no candidate is relevant, since every order is then as good. The
    discount of place i is 1 / log2(i + 1). Candidates with equal scores share the mean gain of
    their places, so that ties earn nothing from the order of the input. The two gains are two
    metrics: never compare one with the other.
    Source: Jarvelin, K. and Kekalainen, J. (2002), Cumulated gain-based evaluation of IR techniques,
    ACM TOIS 20, 422-446; McSherry, F. and Najork, M. (2008), ECIR, for ties.

    >>> ndcg(np.array([3, 2, 0, 1]), np.array([0.9, 0.92, 0.31, 0.15]), at=4, gain="linear")
    0.907936...

    Args:
        relevance: Grade of each candidate, at least 0.
        scores: What orders them, highest first.
        at: How many places count, at least 1.
        gain: What a grade is worth.

    Raises:
        DataError: if `at` or a grade is out of range, or the two arrays do not match.
    """
    if at < 1 or relevance.shape != scores.shape or (relevance < 0).any():
        raise DataError(
            f"ndcg: expected grades of 0 and more, one score a grade, and at least one place, got "
            f"{len(relevance)} grades from {min(relevance, default=0)}, {len(scores)} scores, {at} places"
        )
    worth = relevance.astype(np.float64) if gain == "linear" else np.exp2(relevance) - 1
    discounts = 1 / np.log2(np.arange(2, len(scores) + 2))
    discounts[at:] = 0
    best = (np.sort(worth)[::-1] * discounts).sum()
    if best == 0:
        return float("nan")
    _, tie = np.unique(-scores, return_inverse=True)  # 0 for the highest score
    shared = np.bincount(tie, weights=worth) / np.bincount(tie)
    return float((shared[np.sort(tie)] * discounts).sum() / best)
