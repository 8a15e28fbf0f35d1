"""Hard and soft loss together."""

from __future__ import annotations

from jaxtyping import Bool, Float, Int
from torch import Tensor

from edgekd.distill.losses.cross_entropy import hard_cross_entropy
from edgekd.distill.losses.divergence import soft_divergence


def combined_loss(
    student: Float[Tensor, "*batch label"],
    teacher: Float[Tensor, "*batch label"],
    classes: Int[Tensor, "*batch"],
    *,
    alpha: float | Float[Tensor, "*batch"],
    temperature: float,
) -> Float[Tensor, "*batch"]:
    """Return (1 - alpha) * CE + alpha * T^2 * KL in nats; the soft term alone where the class is -1.

    CE is at temperature 1, as in Hinton, G. et al. (2015), arXiv:1503.02531.

    Args:
        student: Logits.
        teacher: Logits.
        classes: Index of the label, -1 for none.
        alpha: Weight of the soft term, 0 to 1: one for all, or one an example (`blend_by_class`).
        temperature: T of the soft term, over 0.
    """
    hard = hard_cross_entropy(student, classes)
    soft = soft_divergence(student, teacher, temperature)
    return blend_terms(hard, soft, classes >= 0, alpha)


def blend_terms(
    hard: Float[Tensor, "*batch"],
    soft: Float[Tensor, "*batch"],
    has_target: Bool[Tensor, "*batch"],
    alpha: float | Float[Tensor, "*batch"],
) -> Float[Tensor, "*batch"]:
    """Return (1 - alpha) * hard + alpha * soft; the soft term alone where there is no target."""
    hard_share = (1 - alpha) * has_target.to(soft.dtype)
    return hard_share * hard + (1 - hard_share) * soft
