"""Whether two labellers say the same: what a compiled teacher is held to before it labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from edgekd.distill.labels.kept import divergence
from edgekd.serving.heads.score import Scorer

TEMPERATURE = 2.0
MOST_KL = 0.005
LEAST_TOP1 = 0.995


@dataclass(frozen=True)
class Agreement:
    """How a candidate's labels differ from the reference's on the same texts.

    `mean_kl` and `worst_kl` are KL(reference || candidate) at T = 2, in nats; `top1` is the share of
    texts with the same likeliest label. Where there is one output, it is the logit of yes against no: `top1`
    is the share of texts whose scores are the same within the head's tolerance.
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
    if reference.shape[1] == 1:  # of one column the first is always the largest, and its softmax is 1
        same = Scorer().agree(reference, candidate)
        reference, candidate = (np.pad(rows, ((0, 0), (1, 0))) for rows in (reference, candidate))
    else:
        same = reference.argmax(axis=1) == candidate.argmax(axis=1)
    kl = divergence(reference, candidate, TEMPERATURE)
    return Agreement(len(reference), float(kl.mean()), float(kl.max()), float(same.mean()))
