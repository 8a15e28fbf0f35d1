"""Mean of losses under weights."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def weighted_mean(
    losses: Float[Tensor, "*batch"],
    weights: Float[Tensor, "*batch"],
    weight_sum: float | Float[Tensor, ""] | None = None,
) -> Float[Tensor, ""]:
    """Return sum(w * loss) / sum(w); 0 where all weights are 0.

    Where a batch is spread over processes (or over steps whose gradients are added), pass the sum
    of weights of all of them: the values then add up to the mean over the whole, and so do the
    gradients, however unevenly the rows fell. DistributedDataParallel takes the mean of gradients,
    not their sum: multiply the result by the number of processes there.

    Args:
        losses: One value an example.
        weights: One an example, at least 0.
        weight_sum: Sum of weights over all processes; None: over this batch.
    """
    total = torch.as_tensor(weights.sum() if weight_sum is None else weight_sum, dtype=losses.dtype)
    return (weights * losses).sum() / total.clamp_min(torch.finfo(losses.dtype).tiny)
