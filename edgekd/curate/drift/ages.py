"""How old rows are, and how much an old one should count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgekd.errors import BadInputError

Days = npt.NDArray[np.int64]
GROUPS = (30, 90, 180, 365)
"""Ends in days of the groups of age that share a weight; older rows are the last group."""


@dataclass(frozen=True)
class Ages:
    """How old rows are, in days: half of them are at most `p50`, 95 of 100 at most `p95`."""

    n: int
    p50: float
    p95: float


def find_ages(ages: Days) -> Ages | None:
    """Return the ages of rows [row]; None where there is none."""
    if not len(ages):
        return None
    p50, p95 = (float(np.quantile(ages, share, method="inverted_cdf")) for share in (0.5, 0.95))
    return Ages(len(ages), p50, p95)


def recency_weights(ages: Days, half_life_days: float) -> npt.NDArray[np.float64]:
    """Return how much each row counts: half as much after every half-life, 1 today.

    Raises:
        BadInputError: the half-life is not more than 0.

    >>> recency_weights(np.array([0, 90, 180]), 90).tolist()
    [1.0, 0.5, 0.25]
    """
    if not 0 < half_life_days < float("inf"):
        raise BadInputError(f"half-life: expected more than 0 days, got {half_life_days:g}")
    return np.asarray(0.5 ** (ages / half_life_days))


def effective_rows(weights: npt.NDArray[np.float64]) -> float:
    """Return how many equal rows weighted ones are worth (Kish, L. (1965), Survey Sampling, section 11.7)."""
    return float(weights.sum() ** 2 / (weights**2).sum()) if len(weights) else 0.0


def age_groups(ages: Days) -> list[str]:
    """Name the group of age of each row [row], as `up to 90 days`."""
    names = [f"up to {end} days" for end in GROUPS] + [f"over {GROUPS[-1]} days"]
    return [names[place] for place in np.searchsorted(GROUPS, ages)]


def group_weights(ages: Days, half_life_days: float) -> dict[str, float]:
    """Return one weight per group of age that has rows: the mean of their recency weights."""
    weights, groups = recency_weights(ages, half_life_days), np.array(age_groups(ages))
    return {str(name): round(float(weights[groups == name].mean()), 4) for name in dict.fromkeys(groups)}
