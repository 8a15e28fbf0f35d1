"""Error of attention maps."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from edgekd.distill.losses.masks import Mask, mean_of_real


def attention_mse(
    student: Float[Tensor, "*row head token token"],
    teacher: Float[Tensor, "*row head token token"],
    mask: Mask | None = None,
) -> Float[Tensor, "*row"]:
    """Return the mean squared difference over heads and real query-key pairs, one value a row.

    Maps are probabilities [query, key], with as many heads in both; where heads differ use
    `relation_divergence`. TinyBERT takes scores before the softmax; probabilities are bounded,
    and the same where all scores of a query shift.
    Source: Jiao, X. et al. (2020), TinyBERT, arXiv:1909.10351.

    Args:
        student: Attention maps.
        teacher: Attention maps.
        mask: The real tokens; None: all. A pair is real if both its query and its key are.
    """
    gaps = student - teacher
    if mask is None:
        return gaps.square().mean(dim=(-3, -2, -1))
    real = mask.to(torch.bool)
    pairs = real[..., :, None] & real[..., None, :]
    squares = gaps.masked_fill(~pairs[..., None, :, :], 0.0).square().mean(dim=-3)
    return mean_of_real(squares.flatten(-2), pairs.flatten(-2))
