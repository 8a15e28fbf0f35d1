"""How the learning rate goes over a training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from edgekd.config import Training


class Rates(Protocol):
    """Says the learning rate of every step."""

    def at(self, training: Training, passes: float) -> float:
        """Return the rate where so many passes are done; half a pass is 0.5."""


@dataclass(frozen=True)
class Linear:
    """Rises over the warm-up, then falls to 0 at the end of the planned epochs."""

    def at(self, training: Training, passes: float) -> float:
        """Return the rate where so many passes are done."""
        share = passes / training.epochs
        rising = share / training.warmup if training.warmup else 1.0
        return training.learning_rate * min(rising, (1.0 - share) / (1.0 - training.warmup))


LINEAR = Linear()


@dataclass(frozen=True)
class Steady:
    """Rises over the warm-up, then stays until `decay_from`, and falls to 0 at `decay_to`.

    Before the fall nothing depends on how long training will be, so it can be continued from there; what it
    has learned by then shows once the rate has fallen. The fall has the form 1 - sqrt.
    Source: Hägele, A. et al. (2024), arXiv:2405.18392: a fall over 10 to 20 % of the steps reaches what a
    training of that length with a cosine reaches, and this form does so best.

    Attributes:
        warmup: Passes in which the rate rises.
        decay_from, decay_to: Passes between which it falls.
    """

    warmup: float
    decay_from: float
    decay_to: float

    def at(self, training: Training, passes: float) -> float:
        """Return the rate where so many passes are done."""
        rising = passes / self.warmup if self.warmup else 1.0
        fallen = max(0.0, passes - self.decay_from) / (self.decay_to - self.decay_from)
        return training.learning_rate * min(rising, 1.0) * (1.0 - math.sqrt(min(1.0, fallen)))
