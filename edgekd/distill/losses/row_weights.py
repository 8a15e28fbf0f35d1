"""Row weights by origin: what a person corrected counts more than what a teacher said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from edgekd.errors import DataError, unknown_name

ORIGIN_WEIGHTS: Mapping[str, float] = {"teacher": 1.0, "human_corrected": 3.0, "refusal_or_escalation": 2.0}
"""Weight of a row by where its target comes from."""


@dataclass(frozen=True)
class OriginShares:
    """What weights make of a mixture of rows."""

    effective_rows: float
    """Sum of weights: so many rows of weight 1 would count as much."""
    shares: dict[str, float]
    """Of the loss, an origin, 0 to 1."""


def weigh_by_origin(
    origins: Sequence[str], weights: Mapping[str, float] = ORIGIN_WEIGHTS
) -> Float32[np.ndarray, " row"]:
    """Return the weight of each row, for `weighted_mean`.

    Raises:
        DataError: if an origin has no weight.
    """
    return np.array([_weight(origin, weights) for origin in origins], dtype=np.float32)


def share_by_origin(rows: Mapping[str, int], weights: Mapping[str, float] = ORIGIN_WEIGHTS) -> OriginShares:
    """Say how much each origin counts: its rows times its weight, of the sum over origins.

    >>> share_by_origin({"teacher": 300, "human_corrected": 100}).shares
    {'teacher': 0.5, 'human_corrected': 0.5}

    Args:
        rows: Number of rows an origin.
        weights: Weight of a row an origin.

    Raises:
        DataError: if an origin has no weight, or nothing weighs anything.
    """
    effective = {origin: n * _weight(origin, weights) for origin, n in rows.items()}
    total = sum(effective.values())
    if not total > 0:
        raise DataError("row weights: no row weighs anything; give an origin that has rows a weight over 0")
    return OriginShares(total, {origin: part / total for origin, part in effective.items()})


def _weight(origin: str, weights: Mapping[str, float]) -> float:
    if origin not in weights:
        raise DataError(f"row weights: {unknown_name('origin', origin, weights)}")
    return weights[origin]
