"""How much of the hard and of the soft loss, class by class."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def blend_by_class(
    classes: Int[Tensor, "*batch"], hard: Float[Tensor, " label"], soft: Float[Tensor, " label"]
) -> Float[Tensor, "*batch"]:
    """Return alpha an example, soft / (hard + soft) of its class, for `combined_loss`.

    A class whose teacher is weak is learnt from labels (hard high), one with noisy labels from the
    teacher. Only the ratio counts: how much a class weighs at all is a class weight. Without a
    label (-1) alpha is 1.

    Args:
        classes: Index of the label, -1 for none.
        hard: Weight of the hard loss a class, at least 0.
        soft: Weight of the soft loss a class, at least 0; the two are not both 0.
    """
    alpha = soft / (hard + soft)
    # An index of -1 would read the last class.
    return torch.where(classes >= 0, alpha[classes.clamp_min(0)], 1.0)
