"""Distillation losses as pure functions; each returns one value an example unless it says otherwise.

Hinton et al. 2015 (arXiv:1503.02531) for the temperature; Jiao et al. 2020 (TinyBERT,
arXiv:1909.10351) for feature matching.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F


def soften(logits: Float[Tensor, "*batch label"], temperature: float) -> Float[Tensor, "*batch label"]:
    """Softmax at a temperature: softmax(z / T)."""
    return torch.softmax(logits / temperature, dim=-1)


def hard_cross_entropy(
    logits: Float[Tensor, "example label"], classes: Int[Tensor, " example"]
) -> Float[Tensor, " example"]:
    """Cross-entropy against the label, in nats; 0 where the class is -1 (no label)."""
    return F.cross_entropy(logits, classes, reduction="none", ignore_index=-1)


def soft_divergence(
    student: Float[Tensor, "example label"], teacher: Float[Tensor, "example label"], temperature: float
) -> Float[Tensor, " example"]:
    """T^2 * KL(softmax(teacher / T) || softmax(student / T)), in nats.

    Its gradient by the student's logits is T * (q - p): one T of T^2 is cancelled by the inner 1/T.
    """
    target = F.log_softmax(teacher / temperature, dim=-1)
    guess = F.log_softmax(student / temperature, dim=-1)
    return (target.exp() * (target - guess)).sum(dim=-1) * temperature**2


def combined_loss(
    student: Float[Tensor, "example label"],
    teacher: Float[Tensor, "example label"],
    classes: Int[Tensor, " example"],
    *,
    alpha: float,
    temperature: float,
) -> Float[Tensor, " example"]:
    """(1 - alpha) * CE + alpha * T^2 * KL; the soft term alone where an example has no label (-1)."""
    soft = soft_divergence(student, teacher, temperature)
    hard = hard_cross_entropy(student, classes)
    share = torch.where(classes >= 0, alpha, 1.0).to(soft.dtype)
    return (1 - share) * hard + share * soft


def hidden_mse(student: Float[Tensor, "*axes"], teacher: Float[Tensor, "*axes"]) -> Float[Tensor, ""]:
    """Mean squared error of hidden states; the student's are projected to the teacher's width."""
    return F.mse_loss(student, teacher)


def attention_mse(student: Float[Tensor, "*axes"], teacher: Float[Tensor, "*axes"]) -> Float[Tensor, ""]:
    """Mean squared error of attention maps with equal heads."""
    return F.mse_loss(student, teacher)


def dominating_examples(
    losses: Float[Tensor, " example"], *, over: float = 1.5
) -> Int[Tensor, " dominating"]:
    """Indices of examples whose loss is over `over` times the batch mean."""
    return torch.nonzero(losses > over * losses.mean()).flatten()
