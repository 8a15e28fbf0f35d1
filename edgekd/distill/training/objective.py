"""What the loss of a step is made of."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from edgekd.distill.losses import (
    blend_by_class,
    combined_loss,
    hard_cross_entropy,
    logit_mse,
    rare_class_penalty,
    soft_divergence,
)
from edgekd.distill.training.rows import Recipe


class RowLosses(NamedTuple):
    """One value a row."""

    total: Tensor
    hard: Tensor
    soft: Tensor


class Objective:
    """The recipe's loss a row, and a penalty for rare classes a step.

    A row's is (1 - m) * [(1 - alpha) * CE + alpha * T^2 * KL] + m * MSE of logits, m being `recipe.logits`.
    """

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        self._recipe = recipe
        self._alphas = torch.tensor(recipe.alphas, device=device) if recipe.alphas else None
        self._rare = torch.tensor(recipe.rare, dtype=torch.int64, device=device)

    def losses(self, logits: Tensor, taught: Tensor | None, classes: Tensor) -> RowLosses:
        """Compare logits [row, label] with the teacher's, if it has spoken, and with classes [row]."""
        hard = hard_cross_entropy(logits, classes)
        if taught is None:
            return RowLosses(hard, hard, torch.zeros_like(hard))
        alpha: float | Tensor = self._recipe.alpha
        if self._alphas is not None:
            alpha = blend_by_class(classes, 1 - self._alphas, self._alphas)
        temperature = self._recipe.temperature
        soft = soft_divergence(logits, taught, temperature)
        total = combined_loss(logits, taught, classes, alpha=alpha, temperature=temperature)
        if self._recipe.logits:
            total = torch.lerp(total, logit_mse(logits, taught), self._recipe.logits)
        return RowLosses(total, hard, soft)

    def rare_counts(self, classes: Tensor) -> Tensor:
        """Count the rows of each rare class in a whole step, for `penalty`."""
        return (classes[:, None] == self._rare).sum(dim=0)

    def penalty(self, logits: Tensor, classes: Tensor, counts: Tensor) -> Tensor | None:
        """Return this part of a step's penalty, under its weight; None where the recipe has none."""
        if not len(self._rare) or not self._recipe.penalty:
            return None
        return self._recipe.penalty * rare_class_penalty(logits, classes, self._rare, counts)
