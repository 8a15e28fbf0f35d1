"""What the loss of a score's step is made of."""

from __future__ import annotations

import torch
from torch import Tensor

from edgekd.distill.learner import Batch, Terms
from edgekd.distill.losses import blend_terms, number_cross_entropy, number_divergence


class ScoreObjective:
    """(1 - alpha) * CE + alpha * KL of the number, row by row; without a teacher CE alone."""

    def __init__(self, alpha: float) -> None:
        self._alpha = alpha

    def survey(self, targets: Tensor) -> Tensor:
        """Return nothing: no term is of a whole step."""
        return targets.new_empty(0)

    def terms(self, batch: Batch, survey: Tensor) -> Terms:
        """Compare logits [row, 1] with the teacher's, if it has spoken, and with numbers [row]."""
        logits = batch.outputs[:, 0]
        hard = number_cross_entropy(logits, batch.targets)
        if batch.taught is None:
            return Terms(hard, {"hard_bce": hard, "kd_kl": torch.zeros_like(hard)})
        soft = number_divergence(logits, batch.taught[:, 0])
        total = blend_terms(hard, soft, ~batch.targets.isnan(), batch.bound_soft(self._alpha))
        return Terms(total, {"hard_bce": hard, "kd_kl": soft})
