"""What the loss of a classifier's step is made of."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from edgekd.distill.learner import Batch, Terms
from edgekd.distill.losses import (
    blend_by_class,
    combined_loss,
    hard_cross_entropy,
    logit_mse,
    rare_class_penalty,
    soft_divergence,
)


class Blend(Protocol):
    """What a classifier's loss is blended by; see `edgekd.distill.learners.classify.Classify`."""

    @property
    def alpha(self) -> float:
        """Weight of the soft loss."""

    @property
    def alphas(self) -> tuple[float, ...]:
        """Weight of it per class; empty where all are alike."""

    @property
    def temperature(self) -> float:
        """Of the soft loss."""

    @property
    def logits(self) -> float:
        """Share of the squared error of logits."""

    @property
    def rare(self) -> tuple[int, ...]:
        """Classes whose recall a penalty raises."""

    @property
    def penalty(self) -> float:
        """Weight of that penalty."""


class ClassifyObjective:
    """A classifier's loss per row, and a penalty for rare classes per step.

    A row's is (1 - m) * [(1 - alpha) * CE + alpha * T^2 * KL] + m * MSE of logits, m being `logits`. Without
    a teacher it is CE.
    """

    def __init__(self, learner: Blend, device: torch.device) -> None:
        self._learner = learner
        self._alphas = torch.tensor(learner.alphas, device=device) if learner.alphas else None
        self._rare = torch.tensor(learner.rare, dtype=torch.int64, device=device)

    def survey(self, targets: Tensor) -> Tensor:
        """Count the rows of each rare class in a whole step."""
        return (targets[:, None] == self._rare).sum(dim=0)

    def terms(self, batch: Batch, survey: Tensor) -> Terms:
        """Compare logits [row, class] with the teacher's, if it has spoken, and with classes [row]."""
        hard = hard_cross_entropy(batch.outputs, batch.targets)
        if batch.taught is None:
            named = {"hard_ce": hard, "kd_kl_t2": torch.zeros_like(hard)}
            return Terms(hard, named, self._penalty(batch, survey))
        alpha: float | Tensor = self._learner.alpha
        if self._alphas is not None:
            alpha = blend_by_class(batch.targets, 1 - self._alphas, self._alphas)
        alpha = batch.bound_soft(alpha)
        temperature = self._learner.temperature
        soft = soft_divergence(batch.outputs, batch.taught, temperature)
        total = combined_loss(
            batch.outputs, batch.taught, batch.targets, alpha=alpha, temperature=temperature
        )
        if self._learner.logits:
            share = batch.bound_soft(self._learner.logits)
            total = torch.lerp(total, logit_mse(batch.outputs, batch.taught), share)
        return Terms(total, {"hard_ce": hard, "kd_kl_t2": soft}, self._penalty(batch, survey))

    def _penalty(self, batch: Batch, counts: Tensor) -> Tensor | None:
        """Return this batch's part of a step's penalty, under its weight; None where there is none."""
        if not len(self._rare) or not self._learner.penalty:
            return None
        penalty = rare_class_penalty(batch.outputs, batch.targets, self._rare, counts)
        return self._learner.penalty * penalty
