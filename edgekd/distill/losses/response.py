"""Losses of response models, over the words of a teacher's answer.

Each is a mean over a row's own words, so that `weighted_mean` gives a row the share that its weight
says: in a mean over all words a refusal of nine words would count a tenth of an answer of ninety.
Position t of the logits is what foretells word t: the caller has shifted them.
"""

from __future__ import annotations

from jaxtyping import Bool, Float, Int
from torch import Tensor

from edgekd.distill.losses.cross_entropy import hard_cross_entropy
from edgekd.distill.losses.divergence import soft_divergence
from edgekd.distill.losses.masks import mean_of_real


def response_cross_entropy(
    logits: Float[Tensor, "row word entry"],
    words: Int[Tensor, "row word"],
    answer: Bool[Tensor, "row word"],
) -> Float[Tensor, " row"]:
    """Return the mean of -log p(word) in nats over the words of a row's answer, one value a row.

    On text that the teacher wrote this is sequence-level distillation: the teacher's answer stands
    for its whole distribution, which an API does not give.
    Source: Kim, Y. and Rush, A. (2016), arXiv:1606.07947.

    Args:
        logits: The student's, over the vocabulary.
        words: Ids of the teacher's words.
        answer: True on words of the answer, false on the prompt and on padding, for which nothing
            is computed: a vocabulary is wide. A row without any is 0; give it weight 0.
    """
    return _mean_by_row(hard_cross_entropy(logits[answer], words[answer]), answer)


def response_divergence(
    student: Float[Tensor, "row word entry"],
    teacher: Float[Tensor, "row word entry"],
    answer: Bool[Tensor, "row word"],
    temperature: float,
) -> Float[Tensor, " row"]:
    """Return the mean of T^2 * KL in nats over the words of a row's answer, one value a row.

    For a teacher whose logits are at hand, over the same vocabulary and the same words: word-level
    distillation. Source: Kim, Y. and Rush, A. (2016), arXiv:1606.07947.
    """
    return _mean_by_row(soft_divergence(student[answer], teacher[answer], temperature), answer)


def _mean_by_row(each: Tensor, answer: Tensor) -> Tensor:
    return mean_of_real(each.new_zeros(answer.shape).masked_scatter(answer, each), answer)
