"""A number between 0 and 1: the sigmoid of the one output.

It is what a model with one output was trained to give: its loss (binary cross-entropy, or a squared error of
the sigmoid) reads the output as the logit of a probability or of a share. Nothing is fitted: a temperature
would change the number itself, where a label stays the same, so a score that must be corrected is corrected
in training. There is no label either, hence no bias per class, and no policy that compares probabilities.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import refuse_policy, require_unfitted

if TYPE_CHECKING:
    import numpy.typing as npt

NEEDS = ()
UNCALIBRATED: Mapping[str, Any] = {"routing": {}}
TOLERANCE = 0.01
"""Scores that lie no further apart are the same answer."""


class Score(NamedTuple):
    """The number that is answered, from 0 to 1."""

    score: float


class Scorer:
    """Turns one output into a score."""

    calibration = None
    routes = False

    def answer(self, outputs: npt.NDArray[np.float32]) -> Score | None:
        """Return the answer to one text with this output [1]; None if it is not finite."""
        logit = float(outputs[0])
        return Score(sigmoid(logit)) if math.isfinite(logit) else None

    def route(self, text: str, outputs: npt.NDArray[np.float32], slices: Sequence[str]) -> None:
        """Return nothing: a score has no policy."""

    def describe(self, said: Score) -> dict[str, Any]:
        """Return the score by its name."""
        return {"score": said.score}

    def agree(self, one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
        """Say of each row whether two sets of outputs [row, 1] give scores within the tolerance."""
        return score_gaps(one, other) <= TOLERANCE


def sigmoid(logit: float) -> float:
    """Return 1 / (1 + exp(-logit)) without overflow.

    >>> sigmoid(0.0), sigmoid(-1000.0)
    (0.5, 0.0)
    """
    power = math.exp(-abs(logit))
    return (1.0 if logit >= 0 else power) / (1.0 + power)


def score_gaps(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return how far the scores of two sets of outputs [row, 1] lie apart, per row."""
    first, second = ([sigmoid(logit) for logit in rows[:, 0].tolist()] for rows in (one, other))
    return np.asarray(np.abs(np.array(first) - np.array(second)))


def open_head(path: Path, labels: tuple[str, ...]) -> Scorer:
    """Open the head, after making sure that `calibration.json` asks nothing of it that it cannot do.

    Raises:
        ServingError: there are labels, a temperature, a bias or a routing policy.
    """
    require_unfitted(path, labels, UNCALIBRATED, _CANNOT)
    return Scorer()


_CANNOT = "a score is one number without labels: it takes no temperature, bias or routing policy"


def check_policy(policy: Mapping[str, Any], bias: Mapping[str, float], labels: tuple[str, ...]) -> None:
    """Refuse any routing policy and any bias.

    Raises:
        ServingError: there is one.
    """
    refuse_policy(policy, bias, _CANNOT)
