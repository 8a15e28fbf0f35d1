"""Squared error between logits."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def logit_mse(
    student: Float[Tensor, "*batch label"], teacher: Float[Tensor, "*batch label"]
) -> Float[Tensor, "*batch"]:
    """Return the mean over labels of (z - mean(z) - v + mean(v))^2, z the student's logits, v the teacher's.

    Twice the limit of `soft_divergence` as T grows (Hinton, G. et al. 2015, arXiv:1503.02531, section 2.1):
    every label counts alike, however unlikely, so that it tells most where the teacher is sure. A constant
    added to all logits of a row changes no answer, hence the means. Source: Ba, J. & Caruana, R. (2014),
    arXiv:1312.6184; beside the divergence: Kim, T. et al. (2021), arXiv:2105.08919.
    """
    gap = student - teacher
    return (gap - gap.mean(dim=-1, keepdim=True)).square().mean(dim=-1)
