"""Error of hidden states."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from edgekd.distill.losses.masks import Mask, mean_of_real, real_tokens


def hidden_mse(
    student: Float[Tensor, "*row token width"],
    teacher: Float[Tensor, "*row token width"],
    mask: Mask | None = None,
) -> Float[Tensor, "*row"]:
    """Return the mean squared difference over a row's real tokens and the width, one value a row.

    The student's states are in the teacher's width already (`FeatureMatcher` projects them). For
    the mean over all real tokens of a batch, rather than over rows, weight rows by their tokens.
    Source: Jiao, X. et al. (2020), TinyBERT, arXiv:1909.10351.

    Args:
        student: Hidden states.
        teacher: Hidden states.
        mask: The real tokens; None: all. What stands in the others does not count.
    """
    real = real_tokens(student, mask)
    # Cleared before the square, so that not even NaN in the padding reaches the gradient.
    gaps = (student - teacher).masked_fill(~real[..., None], 0.0)
    return mean_of_real(gaps.square().mean(dim=-1), real)
