"""Divergence of the student's softened distribution from the teacher's."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F


def soft_divergence(
    student: Float[Tensor, "*batch label"],
    teacher: Float[Tensor, "*batch label"],
    temperature: float,
    keep: Bool[Tensor, "*#batch label"] | None = None,
) -> Float[Tensor, "*batch"]:
    """Return T^2 * KL(softmax(teacher / T) || softmax(student / T)) in nats.

    Its gradient by the student's logits is T * (q - p): one T of T^2 is cancelled by the inner 1/T,
    the other keeps the gradient from vanishing as T grows, since q - p shrinks like 1/T.
    Source: Hinton, G. et al. (2015), arXiv:1503.02531.

    Args:
        student: Logits.
        teacher: Logits.
        temperature: T, over 0.
        keep: The labels that take part, where not all do (padding); the distributions are over
            these alone, whatever stands in the others. 0 where none takes part.
    """
    target = _log_softmax(teacher / temperature, keep)
    guess = _log_softmax(student / temperature, keep)
    return (target.exp() * (target - guess)).sum(dim=-1) * temperature**2


def _log_softmax(scores: Tensor, keep: Tensor | None) -> Tensor:
    if keep is None:
        return F.log_softmax(scores, dim=-1)
    # The lowest finite number, not -inf: where nothing is kept, -inf would make the gradient NaN.
    lowest = torch.finfo(scores.dtype).min
    return F.log_softmax(scores.masked_fill(~keep, lowest), dim=-1).masked_fill(~keep, 0.0)
