"""What a routing policy is tuned on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekd.evaluate.arrays import Biases, Flags, Labels, Scores


@dataclass(frozen=True)
class TuningRows:
    """Validation rows: the student's calibrated probabilities, the teacher's answers, the truth.

    `bias` [label] is what the student adds to log probabilities where it chooses a label. `traffic` marks the
    rows that came as traffic comes, on which calls and quality are counted; all rows where absent.
    """

    probabilities: Scores
    taught: Labels
    truth: Labels
    labels: tuple[str, ...]
    bias: Biases | None = None
    traffic: Flags | None = None

    @property
    def answers(self) -> Labels:
        """The label that the student answers."""
        weights = 1.0 if self.bias is None else np.exp(self.bias)
        return np.asarray((self.probabilities * weights).argmax(axis=1))
