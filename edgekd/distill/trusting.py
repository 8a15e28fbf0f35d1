"""Teach less, or nothing, of what a teacher claims and nobody can vouch for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from edgekd.distill.examples import Examples, Weighing
from edgekd.distill.learner import Learner
from edgekd.distill.lists import NO_EXAMPLE, list_requests, widen_table

_LEAST = 2  # candidates that an order is of


def trust_targets(
    learn: Examples, weighing: Weighing, trust: npt.NDArray[np.float32], learner: Learner
) -> tuple[Examples, Weighing]:
    """Return the rows to learn from and their weights, so that no target is written that is not trusted.

    `trust` says of each example from 0 to 1 how much the teacher is believed. Where a row has a target of its
    own, trust bounds the weight of the terms against the teacher: at 0 the row's own target is all that is
    learned. Where only the teacher speaks, trust is the row's weight. An example of a list that is not
    trusted at all leaves the list, and the least trust in the others is that of the row.
    """
    examples, lists = list_requests(learn.texts)
    if len(examples) == len(learn.texts):
        return learn, _weigh(weighing, trust, learner.has_target(learn.targets))
    table = lists.fold(trust[:, None])  # NaN where there is no example
    rejected = table == 0
    targets = learn.targets.copy()
    rejected = widen_table(rejected, targets.shape[1], False)
    targets[rejected] = NO_EXAMPLE
    least = np.where((table == 0) | np.isnan(table), 1.0, table).min(axis=1).astype(np.float32)
    left = (targets != NO_EXAMPLE).sum(axis=1)
    least[left < _LEAST] = 0
    return replace(learn, targets=targets), _weigh(weighing, least, learner.has_target(targets))


def _weigh(weighing: Weighing, trust: npt.NDArray[np.float32], has_target: npt.NDArray[np.bool_]) -> Weighing:
    bounds = np.ones(len(trust), np.float32) if weighing.soft_at_most is None else weighing.soft_at_most
    bounds = np.where(has_target, np.minimum(bounds, trust), bounds)
    factors = np.where(has_target, np.float32(1), trust)
    weights = factors if weighing.weights is None else weighing.weights * factors
    return replace(weighing, weights=weights, soft_at_most=bounds)
