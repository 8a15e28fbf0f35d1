"""What labels: a function from token ids to outputs, and what is known of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekd.errors import ParityError

Label = Callable[[npt.NDArray[np.int64]], npt.NDArray[np.float32]]
"""Takes ids [text, token] of texts of equal length, gives outputs [text, output]."""


@dataclass(frozen=True)
class Labeller:
    """What labels, and what is known of it: its name and notes are kept in every shard.

    Texts whose two largest outputs lie closer than `gap` are left to `exact`.
    """

    name: str
    label: Label
    notes: Mapping[str, Any] = field(default_factory=dict)
    exact: Labeller | None = None
    gap: float = 0.0


def check_outputs(labeller: Labeller, ids: npt.NDArray[np.int64], width: int) -> npt.NDArray[np.float32]:
    """Label a batch; refuse what has another shape than [text, output]."""
    outputs = labeller.label(ids)
    if outputs.shape != (len(ids), width):
        raise ParityError(
            f"{labeller.name} gave outputs of shape {outputs.shape}, expected {(len(ids), width)}"
        )
    return outputs


def top_gaps(outputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """How far each text's largest output lies above the next one, shape [text]; infinite for one alone."""
    if outputs.shape[1] < 2:
        return np.full(len(outputs), np.inf, np.float32)
    largest = np.partition(outputs, -2, axis=1)[:, -2:]
    gaps: npt.NDArray[np.float32] = largest[:, 1] - largest[:, 0]
    return gaps
