"""How alike two orders of the same candidates are, whatever the candidates are worth."""

from __future__ import annotations

import numpy as np

from edgekd.evaluate.arrays import Hits, Labels, Numbers, Table

_AT_ONCE = 512  # rows: their pairs of candidates fit into a few MiB


def is_same_first(one: Table, other: Table) -> Hits:
    """Say for each row whether both tables [row, place] put the same candidate first."""
    return np.asarray(_first(one) == _first(other))


def kendall_tau(one: Table, other: Table) -> Numbers:
    """Return Kendall's tau-b of two tables of scores [row, place], which end in NaN at the same places.

    1 is the same order, -1 the opposite one. NaN where a table has all candidates of the row at one score,
    or there is one candidate.

    Source: Kendall, M. G. (1945), The treatment of ties in ranking problems, Biometrika 33, 239-251.

    >>> kendall_tau(np.array([[3.0, 2, 1, 0]]), np.array([[3.0, 2, 0, 1]])).round(3).tolist()
    [0.667]
    """
    width = one.shape[1]
    left, right = np.triu_indices(width, 1)
    found = np.empty(len(one))
    for start in range(0, len(one), _AT_ONCE):
        sides = [np.asarray(table[start : start + _AT_ONCE], np.float32) for table in (one, other)]
        signs = [np.nan_to_num(np.sign(side[:, left] - side[:, right])) for side in sides]
        agreed = (signs[0] * signs[1]).sum(1, dtype=np.float64)
        untied = [np.abs(sign).sum(1, dtype=np.float64) for sign in signs]
        with np.errstate(divide="ignore", invalid="ignore"):
            found[start : start + _AT_ONCE] = agreed / np.sqrt(untied[0] * untied[1])
    return found


def _first(scores: Table) -> Labels:
    return np.asarray(np.where(np.isnan(scores), -np.inf, scores).argmax(1))
