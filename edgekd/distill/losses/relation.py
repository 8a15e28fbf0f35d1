"""Divergence of self-relations: what stands for attention where heads or widths differ."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from edgekd.distill.losses.divergence import soft_divergence
from edgekd.distill.losses.masks import Mask, mean_of_real, real_tokens
from edgekd.errors import ConfigError


def relation_divergence(
    student: Float[Tensor, "*row token narrow"],
    teacher: Float[Tensor, "*row token wide"],
    heads: int,
    mask: Mask | None = None,
) -> Float[Tensor, "*row"]:
    """Return KL(R(teacher) || R(student)) in nats, mean over heads and real tokens, one value a row.

    R splits the width into `heads` relation heads of d entries each and relates every token to
    every other: softmax(X X^T / sqrt(d)). X is a hidden state, or a layer's queries, keys or
    values with their attention heads side by side. R is [head, token, token] for any width and
    number of attention heads, so nothing is projected. Padding is neither query nor key.
    Source: Wang, W. et al. (2020), MiniLMv2, arXiv:2012.15828.

    Args:
        student: X of the student.
        teacher: X of the teacher.
        heads: Relation heads; must divide both widths.
        mask: The real tokens; None: all.

    Raises:
        ConfigError: if a width cannot be split into so many heads.
    """
    real = real_tokens(student, mask)
    scores = [_relate(part.masked_fill(~real[..., None], 0.0), heads) for part in (student, teacher)]
    each = soft_divergence(scores[0], scores[1], 1.0, keep=real[..., None, None, :])
    # A cleared query relates to all keys alike in both, so that padding adds exactly 0 to the sum.
    return mean_of_real(each.mean(dim=-2), real)


def _relate(states: Tensor, heads: int) -> Tensor:
    width = states.shape[-1]
    if heads < 1 or width % heads:
        raise ConfigError(f"{heads} relation heads do not divide a width of {width}; choose a common divisor")
    parts = states.reshape(*states.shape[:-1], heads, width // heads).transpose(-3, -2)
    scores: Tensor = parts @ parts.transpose(-2, -1) * (width // heads) ** -0.5
    return scores
