"""Which tokens are real, and means over them."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

Mask = Bool[Tensor, "*row token"] | Int[Tensor, "*row token"]
"""True or 1 on real tokens, False or 0 on padding."""


def real_tokens(like: Tensor, mask: Tensor | None) -> Tensor:
    """Return the mask as booleans [*row, token]; all true, for values [*row, token, ...], without one."""
    if mask is None:
        return torch.ones(like.shape[:-1], dtype=torch.bool, device=like.device)
    return mask.to(torch.bool)


def mean_of_real(
    values: Float[Tensor, "*row entry"], real: Bool[Tensor, "*row entry"]
) -> Float[Tensor, "*row"]:
    """Return the mean over real entries, one a row; 0 for a row that has none. Others must be 0."""
    return values.sum(dim=-1) / real.sum(dim=-1).clamp_min(1)
