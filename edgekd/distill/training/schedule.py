"""Stages of a distillation: what the loss is made of, epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor

from edgekd.distill.training.features import FeatureTerms
from edgekd.errors import ConfigError


@dataclass(frozen=True)
class StageWeights:
    """Weight of each term; a stage's loss is their sum.

    total = output * learner's + hidden * MSE + attention * MSE + relation * KL, row by row.
    """

    output: float
    """Of the learner's loss: what it makes of targets and of the teacher's outputs."""
    hidden: float = 0.0
    """Of hidden states."""
    attention: float = 0.0
    """Of attention maps, where heads are equal."""
    relation: float = 0.0
    """Of relations, where heads differ."""

    @property
    def reads_features(self) -> bool:
        """Whether the models must show their features; where not, a step is spared them."""
        return bool(self.hidden or self.attention or self.relation)

    def total(
        self, output: Float[Tensor, " row"], terms: FeatureTerms | None = None
    ) -> Float[Tensor, " row"]:
        """Add the terms up, one value a row; `terms` may be missing where their weights are 0."""
        loss = self.output * output
        if terms is None:
            assert not self.reads_features, "a stage that weighs features needs them"
            return loss
        inner = self.hidden * terms.hidden + self.attention * terms.attention
        return loss + inner + self.relation * terms.relation


@dataclass(frozen=True)
class Schedule:
    """Weights from an epoch on, until the next stage; epochs count from 0."""

    stages: tuple[tuple[int, StageWeights], ...]

    def __post_init__(self) -> None:
        starts = [start for start, _ in self.stages]
        if starts[:1] != [0] or any(b <= a for a, b in pairwise(starts)):
            raise ConfigError(f"stages must start at epoch 0 and then later and later, got {starts}")

    def weights(self, epoch: int) -> StageWeights:
        """Return the weights of an epoch."""
        return [weights for start, weights in self.stages if start <= epoch][-1]


OUTPUT_ALONE = Schedule(((0, StageWeights(output=1.0)),))
"""Targets and the teacher's outputs from the first epoch to the last."""


def features_first(epochs: int, features: StageWeights | None = None) -> Schedule:
    """Learn from features for some epochs, then from outputs alone.

    Source: Jiao, X. et al. (2020), TinyBERT, arXiv:1909.10351: intermediate layers first, then the
    prediction layer.

    >>> features_first(3).weights(2), features_first(3).weights(3)
    (StageWeights(output=0.0, hidden=1.0, attention=1.0, relation=1.0),
     StageWeights(output=1.0, hidden=0.0, attention=0.0, relation=0.0))

    Args:
        epochs: Of the first stage; 0 for outputs from the start.
        features: Weights of the first stage; without, 1 for each feature term, as in the paper.
    """
    first = features or StageWeights(output=0.0, hidden=1.0, attention=1.0, relation=1.0)
    then = (epochs, StageWeights(output=1.0))
    return Schedule((then,) if epochs == 0 else ((0, first), then))
