"""What the loss of a ranking's step is made of."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from edgekd.distill.learner import Batch, Terms
from edgekd.distill.losses import (
    blend_terms,
    list_cross_entropy,
    list_divergence,
    list_margin_mse,
    score_mse,
)

HARD = "rank_ce"
LISTWISE, MARGIN, SCORE = "kd_listwise", "kd_margin_mse", "kd_score_mse"


class Blend(Protocol):
    """What a ranking's loss is blended by; see `edgekd.distill.learners.rank.Rank`."""

    @property
    def alpha(self) -> float:
        """Weight of the terms against the teacher."""

    @property
    def softness(self) -> float:
        """Temperature of the divergence over a list."""

    @property
    def listwise(self) -> float:
        """Weight of that divergence among the terms against the teacher."""

    @property
    def margin(self) -> float:
        """Weight of the squared error of margins among them."""

    @property
    def score(self) -> float:
        """Weight of the squared error of scores among them."""


class RankObjective:
    """(1 - alpha) * CE + alpha * (listwise * T^2 * KL + margin * MarginMSE + score * MSE), list by list.

    Without a teacher CE alone; without a relevant candidate the teacher's terms alone.
    """

    def __init__(self, learner: Blend) -> None:
        self._learner = learner

    def survey(self, targets: Tensor) -> Tensor:
        """Return nothing: no term is of a whole step."""
        return targets.new_empty(0)

    def terms(self, batch: Batch, survey: Tensor) -> Terms:
        """Compare scores [row, place] with the teacher's, if it has spoken, and with grades [row, place]."""
        hard = list_cross_entropy(batch.outputs, batch.targets)
        if batch.taught is None:
            nothing = torch.zeros_like(hard)
            return Terms(hard, {HARD: hard, LISTWISE: nothing, MARGIN: nothing, SCORE: nothing})
        real = batch.targets != -1  # also where nobody judged: NaN is not -1
        named = {
            LISTWISE: list_divergence(batch.outputs, batch.taught, self._learner.softness, real),
            MARGIN: list_margin_mse(batch.outputs, batch.taught, real),
            SCORE: score_mse(batch.outputs, batch.taught, real),
        }
        learner = self._learner
        soft = learner.listwise * named[LISTWISE] + learner.margin * named[MARGIN]
        soft = soft + learner.score * named[SCORE]
        has_target = (batch.targets > 0).any(dim=1)
        alpha = batch.bound_soft(learner.alpha)
        return Terms(blend_terms(hard, soft, has_target, alpha), {HARD: hard, **named})
