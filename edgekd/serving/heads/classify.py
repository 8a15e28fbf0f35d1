"""One of several labels: softmax over the logits, with a temperature, a bias per class and a policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..calibrate import Calibration, choose, read_calibration, spread, spread_bias
from ..errors import ServingError

if TYPE_CHECKING:
    import numpy.typing as npt

    from ..route import Route

NEEDS = ("calibrate", "route")
UNCALIBRATED: Mapping[str, Any] = {"temperature": 1.0, "bias": {}, "thresholds": {}, "routing": {}}


class Answer(NamedTuple):
    """The label that is answered, its calibrated probability and its place in the labels.

    It is the likeliest label, unless the artifact has a bias for one that must not be missed.
    """

    label: str
    probability: float
    label_index: int


class Classify:
    """Chooses a label from logits [label]."""

    def __init__(self, calibration: Calibration, labels: tuple[str, ...]) -> None:
        self.calibration = calibration
        self._labels = labels
        self._inverse_temperature = 1.0 / calibration.temperature
        self._bias = spread_bias(calibration.bias, labels)
        self._policy = None
        if calibration.routing:
            from ..route import Policy

            self._policy = Policy(calibration.routing, labels, self._bias)

    @property
    def routes(self) -> bool:
        """Whether the artifact has a routing policy."""
        return self._policy is not None

    def answer(self, outputs: npt.NDArray[np.float32]) -> Answer | None:
        """Return the answer to one text with these logits [label]; None if they are not finite."""
        index, probability = choose(outputs, self._inverse_temperature, self._bias)
        return Answer(self._labels[index], probability, index) if probability >= 0 else None

    def route(self, text: str, outputs: npt.NDArray[np.float32], slices: Sequence[str]) -> Route | None:
        """Decide by the policy what becomes of one text; None if the logits are not finite."""
        probabilities = spread(outputs, self._inverse_temperature)
        if self._policy is None or not np.isfinite(probabilities).all():
            return None
        return self._policy.decide(text, probabilities, slices)

    def describe(self, said: Answer | Route) -> dict[str, Any]:
        """Return label and probability, and of a route also its action and the reason."""
        found = {"label": said.label, "probability": said.probability}
        return found if isinstance(said, Answer) else {**found, "action": said.action, "reason": said.reason}

    def agree(self, one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
        """Say of each row whether two sets of logits [row, label] give the same label, as it is served."""
        return np.asarray(self._choose_all(one) == self._choose_all(other))

    def _choose_all(self, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
        chosen = [choose(row, self._inverse_temperature, self._bias)[0] for row in rows]
        return np.array(chosen, np.int64)


def open_head(path: Path, labels: tuple[str, ...]) -> Classify:
    """Open the head with the calibration at `path`.

    Raises:
        ServingError: the calibration is not one, or names what is no label.
    """
    if not labels:
        raise ServingError(f"{path.with_name('manifest.json')}: labels: expected list, got nothing")
    return Classify(read_calibration(path), labels)


def check_policy(policy: Mapping[str, Any], bias: Mapping[str, float], labels: tuple[str, ...]) -> None:
    """Check a routing policy and a bias per class before an artifact gets them.

    Raises:
        ServingError: one of them is not what this head takes.
    """
    from ..route import Policy

    Policy(dict(policy), labels)
    spread_bias(dict(bias), labels)
