"""Whether two labellers say the same: what a compiled teacher is held to before it labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from edgekd.distill.labels.kept import divergence

TEMPERATURE = 2.0
MOST_KL = 0.005
LEAST_TOP1 = 0.995


@dataclass(frozen=True)
class Agreement:
    """How a candidate's labels differ from the reference's on the same texts.

    `mean_kl` and `worst_kl` are KL(reference || candidate) at T = 2, in nats; `top1` is the share of
    texts with the same likeliest label.
    """

    texts: int
    mean_kl: float
    worst_kl: float
    top1: float

    @property
    def is_equal(self) -> bool:
        """Tell whether the candidate may label in the reference's place."""
        return self.mean_kl <= MOST_KL and self.top1 >= LEAST_TOP1


def compare_labels(
    reference: Float[np.ndarray, "text label"], candidate: Float[np.ndarray, "text label"]
) -> Agreement:
    """Compare logits of the same texts; a candidate with a value that is not finite agrees in nothing."""
    if not np.isfinite(candidate).all():
        return Agreement(len(reference), float("inf"), float("inf"), 0.0)
    kl = divergence(reference, candidate, TEMPERATURE)
    top1 = (reference.argmax(axis=1) == candidate.argmax(axis=1)).mean()
    return Agreement(len(reference), float(kl.mean()), float(kl.max()), float(top1))
