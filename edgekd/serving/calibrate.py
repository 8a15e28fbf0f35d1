"""From logits to a label and its probability: a temperature, and a bias per class where one is chosen."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .errors import ServingError

if TYPE_CHECKING:
    import numpy.typing as npt


class Calibration(NamedTuple):
    """What was fitted on the compiled model's own logits.

    `bias` is added to the log probability of its classes where a label is chosen, and nowhere else.
    """

    temperature: float
    thresholds: dict[str, float]
    routing: dict[str, Any]
    bias: dict[str, float]


_MOST = 1 << 53
_MOST_TEMPERATURE = 1e6
UNFITTED = Calibration(1.0, {}, {}, {})


def read_calibration(path: Path) -> Calibration:
    """Read and check `calibration.json`."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        bias = {str(label): _number(number) for label, number in value.get("bias", {}).items()}
        thresholds, routing = value["thresholds"], value["routing"]
        if not isinstance(thresholds, dict) or not isinstance(routing, dict):
            raise TypeError("thresholds and routing are objects")
        found = Calibration(_number(value["temperature"]), thresholds, routing, bias)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ServingError(
            f"{path}: expected temperature, thresholds and routing, got {error!r:.200}"
        ) from None
    if not found.temperature > 0:
        raise ServingError(f"{path}: temperature must be > 0, got {found.temperature}")
    if not 1 / _MOST_TEMPERATURE <= found.temperature <= _MOST_TEMPERATURE:
        raise ServingError(f"{path}: temperature is out of any reason: {found.temperature}")
    for label, number in found.bias.items():
        if not math.isfinite(number):
            raise ServingError(f"{path}: bias of {label}: expected a finite number, got {number}")
    return found


def _number(value: Any) -> float:
    """Return a JSON number; `true` is none, nor is one beyond what a float holds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"could not convert {value!r:.40}, which is no number")
    if isinstance(value, int) and abs(value) > _MOST:
        raise ValueError("a number is too large")
    return float(value)


def spread_bias(bias: dict[str, float], labels: Sequence[str]) -> npt.NDArray[np.float64] | None:
    """Return the bias of every label [label]; None where no class has one."""
    if not bias:
        return None
    if unknown := sorted(set(bias) - set(labels)):
        raise ServingError(f"calibration: bias: '{unknown[0]}' is no label of this model")
    return np.array([bias.get(label, 0.0) for label in labels])


def choose(
    logits: npt.NDArray[np.float32],
    inverse_temperature: float,
    bias: npt.NDArray[np.float64] | None = None,
) -> tuple[int, float]:
    """Return the index of the label that is answered, and its probability: softmax(logits / temperature).

    `logits` and `bias` [label]. The answer is argmax(logits / temperature + bias), in double precision, and
    the first of equals. Only its probability is computed, from the shifted sum.
    """
    scores = logits if bias is None else logits.astype(np.float64) * inverse_temperature + bias
    index = int(scores.argmax())
    return index, 1.0 / float(np.exp((logits - logits[index]) * inverse_temperature).sum())


def spread(logits: npt.NDArray[np.float32], inverse_temperature: float) -> npt.NDArray[np.float64]:
    """Return the probability of every label: softmax(logits / temperature), in double precision."""
    powers = np.exp((logits - logits.max()).astype(np.float64) * inverse_temperature)
    return np.asarray(powers / powers.sum())
