"""What labels: a function from token ids to logits, and what is known of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekd.errors import ParityError

Label = Callable[[npt.NDArray[np.int64]], npt.NDArray[np.float32]]
"""Takes ids [text, token] of texts of equal length, gives logits [text, label]."""


@dataclass(frozen=True)
class Labeller:
    """What labels, and what is known of it: its name and notes are kept in every shard.

    Texts whose two likeliest labels lie closer than `gap` are left to `exact`.
    """

    name: str
    label: Label
    notes: Mapping[str, Any] = field(default_factory=dict)
    exact: Labeller | None = None
    gap: float = 0.0


def check_logits(labeller: Labeller, ids: npt.NDArray[np.int64], labels: int) -> npt.NDArray[np.float32]:
    """Label a batch; refuse what has another shape than [text, label]."""
    logits = labeller.label(ids)
    if logits.shape != (len(ids), labels):
        raise ParityError(
            f"{labeller.name} gave logits of shape {logits.shape}, expected {(len(ids), labels)}"
        )
    return logits


def top_gaps(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """How far the likeliest label's logit lies above the next one's, shape [text]."""
    if logits.shape[1] < 2:
        return np.full(len(logits), np.inf, np.float32)
    largest = np.partition(logits, -2, axis=1)[:, -2:]
    gaps: npt.NDArray[np.float32] = largest[:, 1] - largest[:, 0]
    return gaps
