"""Losses of a number between 0 and 1, foretold by a logit: the number is its sigmoid."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


def number_cross_entropy(
    logits: Float[Tensor, "*batch"], numbers: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch"]:
    """Return -y log s(z) - (1 - y) log(1 - s(z)) in nats, s being the sigmoid and y the number.

    Its gradient by the logit is s(z) - y, which does not fade where z is far off, as that of a squared error
    would. It is least, and then the entropy of y, where s(z) is y. 0 with zero gradient where y is NaN (no
    number).
    """
    known = ~numbers.isnan()
    wanted = numbers.to(logits.dtype).nan_to_num(0.5)
    each = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    return torch.where(known, each, 0.0)


def number_divergence(
    student: Float[Tensor, "*batch"], teacher: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch"]:
    """Return the divergence in nats of the student's number from the teacher's, both given as logits.

    KL of two outcomes, one of which has the number as its chance: `soft_divergence` at temperature 1 of the
    logits [z, 0]. Its gradient by the student's logit is s(z) - s(v).
    """
    chance = torch.sigmoid(teacher)
    yes = F.logsigmoid(teacher) - F.logsigmoid(student)
    no = F.logsigmoid(-teacher) - F.logsigmoid(-student)
    return chance * yes + (1 - chance) * no
