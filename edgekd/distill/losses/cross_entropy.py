"""Cross-entropy against the label."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F


def hard_cross_entropy(
    logits: Float[Tensor, "*batch label"], classes: Int[Tensor, "*batch"]
) -> Float[Tensor, "*batch"]:
    """Return -log softmax(z)[class] in nats; 0 with zero gradient where the class is -1 (no label).

    Its gradient by the logits is softmax(z) minus one at the class.
    """
    flat = logits.reshape(-1, logits.shape[-1])
    each = F.cross_entropy(flat, classes.reshape(-1), reduction="none", ignore_index=-1)
    return each.reshape(classes.shape)
