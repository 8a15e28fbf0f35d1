"""How good an order of candidates is, epoch by epoch: tables [row, place], every row at once.

Grades are 0 and more, NaN where nobody judged, -1 where there is no candidate. Only judged candidates count;
equal scores stand in the order in which they came.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

Table = Float[np.ndarray, "row place"]
_DEPTH = 10
_AT_ONCE = 1 << 22  # pairs of candidates


def ndcg(scores: Table, grades: Table) -> Float[np.ndarray, " row"]:
    """Return the discounted gain of each row's first ten over that of the best order; NaN without any.

    A grade's gain is 2^g - 1, the discount of place i is 1 / log2(i + 1).
    Source: Burges, C. et al. (2005), Learning to rank using gradient descent, ICML.
    """
    ranked = _ranked(scores, grades)[:, :_DEPTH]
    best = -np.sort(-np.where(grades >= 0, grades, 0.0), axis=1)[:, :_DEPTH]
    discounts = 1 / np.log2(np.arange(2, ranked.shape[1] + 2))
    most = ((np.exp2(best) - 1) * discounts).sum(axis=1)
    found = ((np.exp2(ranked) - 1) * discounts).sum(axis=1)
    return np.asarray(np.divide(found, most, out=np.full(len(most), np.nan), where=most > 0))


def reciprocal_rank(scores: Table, grades: Table) -> Float[np.ndarray, " row"]:
    """Return 1 / the place of each row's first relevant candidate within ten, 0 without; NaN without any."""
    relevant = _ranked(scores, grades)[:, :_DEPTH] > 0
    found = np.where(relevant.any(axis=1), 1 / (1 + relevant.argmax(axis=1)), 0.0)
    return np.where((grades > 0).any(axis=1), found, np.nan)


def top_agreement(scores: Table, others: Table, real: Bool[np.ndarray, "row place"]) -> float:
    """Return the share of rows whose first candidate is the same by two scores."""
    first, second = (np.where(real, table, -np.inf).argmax(axis=1) for table in (scores, others))
    return float((first == second).mean())


def kendall_tau(scores: Table, others: Table, real: Bool[np.ndarray, "row place"]) -> float:
    """Return the mean over rows of the share of pairs that two scores order alike, less those they do not.

    A pair that one of them ties counts for neither (tau-a); rows with one candidate are left out.
    Source: Kendall, M. (1938), A new measure of rank correlation, Biometrika 30.
    """
    taus = [np.empty(0)]
    step = max(1, _AT_ONCE // max(1, real.shape[1]) ** 2)
    for start in range(0, len(real), step):
        part = slice(start, start + step)
        signs = [np.sign(t[part, :, None] - t[part, None, :]) for t in (scores, others)]
        pairs = real[part, :, None] & real[part, None, :]
        agreed = np.where(pairs, signs[0] * signs[1], 0.0).sum(axis=(1, 2))
        counts = real[part].sum(axis=1)
        several = counts > 1
        taus.append(agreed[several] / (counts * (counts - 1))[several])
    every = np.concatenate(taus)
    return float(every.mean()) if len(every) else 1.0


def _ranked(scores: Table, grades: Table) -> Table:
    """Return the grades of judged candidates, best score first; 0 after the last of them."""
    judged = grades >= 0
    order = np.argsort(np.where(judged, -scores, np.inf), axis=1, kind="stable")
    return np.asarray(np.take_along_axis(np.where(judged, grades, 0.0), order, axis=1))
