"""What an order of candidates is worth to whoever reads it from the top.

Tables are [row, place]: a row is a query, a place one of its candidates in the order that came in. Grades are
0 and more, NaN where nobody judged the candidate, -1 where there is none. Candidates that nobody judged are
left out before anything is counted (condensed lists: Sakai, T. (2007), Alternatives to Bpref, SIGIR), and of
candidates with equal scores the one that came in first stands first.
"""

from __future__ import annotations

import numpy as np

from edgekd.evaluate.arrays import Flags, Hits, Numbers, Table

PLACES = 10
"""How far down an order is read."""


def align(scores: Table, width: int) -> Table:
    """Widen a table of scores by NaN, or cut off columns, so that it has `width` places."""
    if scores.shape[1] >= width:
        return scores[:, :width]
    return np.pad(scores, ((0, 0), (0, width - scores.shape[1])), constant_values=np.nan)


def tells_orders_apart(truth: Table) -> Flags:
    """Say for each row whether one order can be better than another: its judged candidates have two grades.

    Elsewhere, as where no candidate is relevant, every order is as good, and says nothing of who made it.
    """
    judged = truth >= 0
    highest = np.where(judged, truth, -np.inf).max(1)
    lowest = np.where(judged, truth, np.inf).min(1)
    return np.asarray(highest > lowest)


def in_order(scores: Table, truth: Table) -> Table:
    """Return the grades of the judged candidates [row, place], best score first; -1 after the last one."""
    judged = truth >= 0
    keys = np.where(judged, -align(scores, truth.shape[1]), np.inf)
    order = np.argsort(keys, axis=1, kind="stable")
    return np.take_along_axis(np.where(judged, truth, -1), order, axis=1)


def ndcg_at_10(scores: Table, truth: Table) -> Numbers:
    """Return the discounted gain of the first ten candidates over that of the best order, 0 to 1.

    A grade g gains 2 ** g - 1, discounted by log2(place + 1), place 1 being the first; for the grades 0 and 1
    that is the linear gain too. NaN where no candidate is relevant.

    Source: Jarvelin, K. and Kekalainen, J. (2002), Cumulated gain-based evaluation of IR techniques, ACM TOIS
    20, 422-446; the gain after Burges, C. et al. (2005), Learning to rank using gradient descent, ICML.

    >>> ndcg_at_10(np.array([[0.9, 0.92, 0.31, 0.15]]), np.array([[3.0, 2, 0, 1]])).round(4).tolist()
    [0.8354]
    """
    ideal = np.where(truth >= 0, truth, -1)
    best = _gain(-np.sort(-ideal, axis=1))
    with np.errstate(invalid="ignore"):
        return np.asarray(_gain(in_order(scores, truth)) / np.where(best > 0, best, np.nan))


def is_best_first(scores: Table, truth: Table) -> Hits:
    """Say for each row whether the first candidate has the best grade of its list."""
    grades = in_order(scores, truth)
    return np.asarray(grades[:, 0] == grades.max(1))


def mrr_at_10(scores: Table, truth: Table) -> Numbers:
    """Return 1 / place of the first candidate with a grade above 0; 0 where none is among the first ten.

    Source: Voorhees, E. M. (1999), The TREC-8 question answering track report.
    """
    is_relevant = in_order(scores, truth)[:, :PLACES] > 0
    return np.where(is_relevant.any(1), 1 / (1 + is_relevant.argmax(1)), 0.0)


def _gain(grades: Table) -> Numbers:
    first = grades[:, :PLACES].astype(np.float64)
    discounts = np.log2(np.arange(2, first.shape[1] + 2))
    return np.asarray(((np.exp2(np.maximum(first, 0)) - 1) / discounts).sum(1))
