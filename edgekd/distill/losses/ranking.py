"""Losses of rerankers: scores of the candidates of a query against the teacher's.

A tiny error of scores can swap the two at the top: watch `edgekd.evaluate.ranking.ndcg` beside them.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from edgekd.distill.losses.divergence import soft_divergence
from edgekd.distill.losses.masks import mean_of_real


def score_mse(
    student: Float[Tensor, "*query candidate"],
    teacher: Float[Tensor, "*query candidate"],
    real: Bool[Tensor, "*query candidate"] | None = None,
) -> Float[Tensor, "*query"]:
    """Return the mean squared difference of scores over a query's real candidates, one value a query."""
    real = torch.ones_like(student, dtype=torch.bool) if real is None else real
    return mean_of_real((student - teacher).masked_fill(~real, 0.0).square(), real)


def margin_mse(
    student: Float[Tensor, "*query candidate"],
    teacher: Float[Tensor, "*query candidate"],
    real: Bool[Tensor, "*query candidate"] | None = None,
) -> Float[Tensor, "*query"]:
    """Return the mean squared difference of margins, first candidate minus each other, one value a query.

    The first candidate is the relevant one; with two this is MarginMSE on a triple. A teacher whose
    scores are shifted by a constant teaches the same. 0 for a query without another candidate.
    Source: Hofstaetter, S. et al. (2020), arXiv:2010.02666.
    """
    ours, theirs = (scores[..., :1] - scores[..., 1:] for scores in (student, teacher))
    return score_mse(ours, theirs, None if real is None else real[..., 1:])


def list_margin_mse(
    student: Float[Tensor, "*query candidate"],
    teacher: Float[Tensor, "*query candidate"],
    real: Bool[Tensor, "*query candidate"] | None = None,
) -> Float[Tensor, "*query"]:
    """Return the mean squared difference of margins over all pairs of candidates, one value a query.

    `margin_mse` of every two candidates, whichever is relevant. With d the student's scores minus the
    teacher's over n candidates, the mean of (d_i - d_j)^2 over pairs is twice the variance of d with n - 1
    below: as many steps as there are candidates, not pairs. 0 for a query without another candidate.
    """
    real = torch.ones_like(student, dtype=torch.bool) if real is None else real
    gaps = (student - teacher).masked_fill(~real, 0.0)
    spread = (gaps - mean_of_real(gaps, real).unsqueeze(-1)).masked_fill(~real, 0.0).square()
    return 2 * spread.sum(dim=-1) / (real.sum(dim=-1) - 1).clamp_min(1)


def list_cross_entropy(
    scores: Float[Tensor, "*query candidate"], grades: Float[Tensor, "*query candidate"]
) -> Float[Tensor, "*query"]:
    """Return the cross-entropy in nats of who is first by the scores, from who should be by the grades.

    A grade g has the share of 2^g - 1 in the query's sum of these, so that candidates of grade 0 are only
    ever pushed down. Candidates without a grade (NaN, or -1 for padding) take no part, whatever stands in
    their scores. 0 with zero gradient for a query without a relevant candidate.
    Source: Cao, Z. et al. (2007), as above; the gain after Burges, C. et al. (2005), Learning to rank using
    gradient descent, ICML.
    """
    graded = grades >= 0  # false for NaN
    gains = torch.exp2(torch.where(graded, grades, 0.0).to(scores.dtype)) - 1
    wanted = gains / gains.sum(dim=-1, keepdim=True).clamp_min(torch.finfo(scores.dtype).tiny)
    lowest = torch.finfo(scores.dtype).min
    logs = torch.log_softmax(scores.masked_fill(~graded, lowest), dim=-1).masked_fill(~graded, 0.0)
    return -(wanted * logs).sum(dim=-1)


def list_divergence(
    student: Float[Tensor, "*query candidate"],
    teacher: Float[Tensor, "*query candidate"],
    temperature: float,
    real: Bool[Tensor, "*query candidate"] | None = None,
) -> Float[Tensor, "*query"]:
    """Return T^2 * KL in nats of who is first by the student's scores, from who is by the teacher's.

    ListNet's top-one probabilities are a softmax over the candidates; its cross-entropy has the
    same gradient and a lower end other than 0. Scores within 0 and 1 are nearly flat at T = 1:
    take logits, or T well under 1.
    Source: Cao, Z. et al. (2007), Learning to rank: from pairwise approach to listwise approach, ICML.
    """
    return soft_divergence(student, teacher, temperature, keep=real)
