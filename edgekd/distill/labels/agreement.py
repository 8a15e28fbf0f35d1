"""Whether two labellers say the same: what a compiled teacher is held to before it labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from edgekd.distill.labels.kept import divergence

TEMPERATURE = 2.0
MOST_KL = 0.005
LEAST_TOP1 = 0.995
MOST_MEAN_GAP, MOST_WORST_GAP = 0.002, 0.02
"""Of numbers from 0 to 1; stored in half precision a number moves by 0.001 or less."""
MOST_MEAN_SHARE, MOST_WORST_SHARE = 0.02, 0.2
"""Of scores, in standard deviations of the reference's: those of a list lie about one apart."""


@dataclass(frozen=True)
class SoftmaxAgreement:
    """How a candidate's logits differ from the reference's on the same texts.

    `mean_kl` and `worst_kl` are KL(reference || candidate) at T = 2, in nats; `top1` is the share of
    texts with the same likeliest class.
    """

    texts: int
    mean_kl: float
    worst_kl: float
    top1: float

    @property
    def is_equal(self) -> bool:
        """Tell whether the candidate may label in the reference's place."""
        return self.mean_kl <= MOST_KL and self.top1 >= LEAST_TOP1


def compare_softmax(
    reference: Float[np.ndarray, "text output"], candidate: Float[np.ndarray, "text output"]
) -> SoftmaxAgreement:
    """Compare logits of the same texts; a candidate with a value that is not finite agrees in nothing.

    There must be several: of one column the first is always the largest, and its softmax is 1.
    """
    assert reference.shape[1] > 1, "one output is no choice: compare_numbers"
    if not np.isfinite(candidate).all():
        return SoftmaxAgreement(len(reference), float("inf"), float("inf"), 0.0)
    kl = divergence(reference, candidate, TEMPERATURE)
    top1 = (reference.argmax(axis=1) == candidate.argmax(axis=1)).mean()
    return SoftmaxAgreement(len(reference), float(kl.mean()), float(kl.max()), float(top1))


@dataclass(frozen=True)
class NumberAgreement:
    """How far a candidate's numbers lie from the reference's on the same texts, on average and at worst."""

    texts: int
    mean_gap: float
    worst_gap: float

    @property
    def is_equal(self) -> bool:
        """Tell whether the candidate may label in the reference's place."""
        return self.mean_gap <= MOST_MEAN_GAP and self.worst_gap <= MOST_WORST_GAP


def compare_numbers(
    reference: Float[np.ndarray, " text"], candidate: Float[np.ndarray, " text"]
) -> NumberAgreement:
    """Compare numbers of the same texts; a candidate with a value that is not finite agrees in nothing."""
    if not np.isfinite(candidate).all():
        return NumberAgreement(len(reference), float("inf"), float("inf"))
    gaps = np.abs(reference - candidate)
    return NumberAgreement(len(reference), float(gaps.mean()), float(gaps.max()))


@dataclass(frozen=True)
class ScoreAgreement:
    """How far a candidate's scores lie from the reference's, on average and at worst.

    Both are shares of the standard deviation of the reference's scores: a score has no unit of its own.
    """

    texts: int
    mean_gap: float
    worst_gap: float

    @property
    def is_equal(self) -> bool:
        """Tell whether the candidate may label in the reference's place."""
        return self.mean_gap <= MOST_MEAN_SHARE and self.worst_gap <= MOST_WORST_SHARE


def compare_scores(
    reference: Float[np.ndarray, " text"], candidate: Float[np.ndarray, " text"]
) -> ScoreAgreement:
    """Compare scores of the same texts; a candidate with a value that is not finite agrees in nothing."""
    if not np.isfinite(candidate).all():
        return ScoreAgreement(len(reference), float("inf"), float("inf"))
    gaps = np.abs(reference.astype(np.float64) - candidate)
    spread = max(float(reference.std(dtype=np.float64)), float(np.finfo(np.float32).tiny))
    return ScoreAgreement(len(reference), float(gaps.mean()) / spread, float(gaps.max()) / spread)
