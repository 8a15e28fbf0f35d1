"""All labels that apply, several or none: the sigmoid of each output, each for itself.

It is what a model for several labels a text was trained to give: its loss (binary cross-entropy per output)
reads each output as the logit of one label's probability. A label is said from a probability of a half on,
where it is likelier than not; who weighs misses otherwise takes the probabilities, which are all answered.
Nothing is fitted, and there is no policy, which would have one answer to decide about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import ServingError
from . import refuse_policy, require_unfitted

if TYPE_CHECKING:
    import numpy.typing as npt

NEEDS = ()
UNCALIBRATED: Mapping[str, Any] = {"routing": {}}


class Tags(NamedTuple):
    """The labels that apply, the likeliest first, and the probability of every label, from 0 to 1."""

    labels: list[str]
    probabilities: dict[str, float]


class Tagger:
    """Turns logits [label] into the labels that apply."""

    calibration = None
    routes = False

    def __init__(self, labels: tuple[str, ...]) -> None:
        self._labels = labels

    def answer(self, outputs: npt.NDArray[np.float32]) -> Tags | None:
        """Return the answer to one text with these logits [label]; None if they are not finite."""
        if not np.isfinite(outputs).all():
            return None
        probabilities = dict(zip(self._labels, spread_each(outputs).tolist(), strict=True))
        said = [self._labels[place] for place in np.argsort(-outputs, kind="stable") if outputs[place] >= 0]
        return Tags(said, probabilities)

    def route(self, text: str, outputs: npt.NDArray[np.float32], slices: Sequence[str]) -> None:
        """Return nothing: there is no policy."""

    def describe(self, said: Tags) -> dict[str, Any]:
        """Return the labels that apply and all probabilities by their names."""
        return said._asdict()

    def agree(self, one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
        """Say of each row whether of two sets of logits [row, label] the same labels apply."""
        return np.asarray(((one >= 0) == (other >= 0)).all(1))


def spread_each(outputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return 1 / (1 + exp(-output)) of each output, without overflow.

    >>> spread_each(np.array([0, -1000], np.float32)).tolist()
    [0.5, 0.0]
    """
    powers = np.exp(-np.abs(outputs.astype(np.float64)))
    return np.asarray(np.where(outputs >= 0, 1.0, powers) / (1.0 + powers))


def open_head(path: Path, labels: tuple[str, ...]) -> Tagger:
    """Open the head, after making sure that `calibration.json` asks nothing of it that it cannot do.

    Raises:
        ServingError: there are no labels; or a temperature, a bias or a routing policy.
    """
    require_unfitted(path, (), UNCALIBRATED, _CANNOT)
    if not labels:
        raise ServingError(f"{path.with_name('manifest.json')}: labels: expected list, got nothing")
    return Tagger(labels)


_CANNOT = "labels that each stand for themselves take no temperature, bias or routing policy"


def check_policy(policy: Mapping[str, Any], bias: Mapping[str, float], labels: tuple[str, ...]) -> None:
    """Refuse any routing policy and any bias.

    Raises:
        ServingError: there is one.
    """
    refuse_policy(policy, bias, _CANNOT)
