"""Rare classes: a penalty for the recall that a mean over rows does not see."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def rare_class_penalty(
    logits: Float[Tensor, "row label"],
    classes: Int[Tensor, " row"],
    rare: Int[Tensor, " rare"],
    counts: Int[Tensor, " rare"] | None = None,
) -> Float[Tensor, ""]:
    """Return the mean over rare classes present of (1 - mean probability of the right class).

    penalty = 1/|R| * sum over c in R of (1 - 1/n_c * sum over rows i of class c of p_i[c]), where R
    are the rare classes with rows in the batch: one minus their macro-averaged recall, with the
    probability in the place of the zero or one of a right answer, which gives it a gradient. Each
    class counts the same, however few its rows. Exactly 0 with zero gradient where R is empty.
    Between 0 and 1, no unit. Its gradient fades where p is near 0: it goes with cross-entropy.

    Args:
        logits: The student's.
        classes: Index of the label, -1 for none.
        rare: Indices of the rare classes, each once.
        counts: Rows of each rare class over all processes; None: in this batch. With it, the
            penalties of the processes add up to that of the whole.
    """
    own = (classes[:, None] == rare).to(logits.dtype)
    rows = own.sum(dim=0) if counts is None else counts.to(logits.dtype)
    missed = 1 - torch.softmax(logits, dim=-1)[:, rare]
    by_class = (own * missed).sum(dim=0) / rows.clamp_min(1)
    return by_class.sum() / (rows > 0).sum().clamp_min(1)


def rare_class_loss(
    ce: Float[Tensor, ""],
    kd: Float[Tensor, ""],
    penalty: Float[Tensor, ""],
    *,
    ce_weight: float,
    kd_weight: float,
    penalty_weight: float,
) -> Float[Tensor, ""]:
    """Return ce_weight * CE + kd_weight * KD + penalty_weight * penalty, of the means over a batch.

    Where ce_weight + kd_weight is 1 the first two are the mean of `combined_loss` at
    alpha = kd_weight, which also takes care of rows without a label.
    """
    return ce_weight * ce + kd_weight * kd + penalty_weight * penalty
