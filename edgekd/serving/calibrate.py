"""From logits to a probability, by the temperature fitted on the compiled model."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .errors import ServingError

if TYPE_CHECKING:
    import numpy.typing as npt


class Calibration(NamedTuple):
    """What was fitted on the compiled model's own logits."""

    temperature: float
    thresholds: dict[str, float]
    routing: dict[str, Any]


def read_calibration(path: Path) -> Calibration:
    """Read and check `calibration.json`."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        found = Calibration(float(value["temperature"]), dict(value["thresholds"]), dict(value["routing"]))
    except (ValueError, KeyError, TypeError) as error:
        raise ServingError(f"{path}: expected temperature, thresholds and routing, got {error!r}") from None
    if not (math.isfinite(found.temperature) and found.temperature > 0):
        raise ServingError(f"{path}: temperature must be > 0, got {found.temperature}")
    return found


def choose(logits: npt.NDArray[np.float32], inverse_temperature: float) -> tuple[int, float]:
    """Return the likeliest label's index and its probability: softmax(logits / temperature).

    `logits` [label]. Only the top label's probability is computed, from the shifted sum.
    """
    index = int(logits.argmax())
    return index, 1.0 / float(np.exp((logits - logits[index]) * inverse_temperature).sum())


def spread(logits: npt.NDArray[np.float32], inverse_temperature: float) -> npt.NDArray[np.float64]:
    """Return the probability of every label: softmax(logits / temperature), in double precision."""
    powers = np.exp((logits - logits.max()).astype(np.float64) * inverse_temperature)
    return np.asarray(powers / powers.sum())
