"""How far raters agree beyond chance: Cohen's kappa of two, Krippendorff's alpha of any number with gaps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from edgekd.errors import BadInputError

Level = Literal["nominal", "ordinal", "interval", "ratio"]
LEVELS: tuple[Level, ...] = ("nominal", "ordinal", "interval", "ratio")
Weights = Literal["none", "linear", "quadratic"]
MISSING = -1
"""Stands in a table of ratings where a rater did not rate a unit."""
_DRAWS = 1000
_AT_ONCE = 4_000_000  # numbers in memory while units are drawn again
Ratings = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RaterAgreement:
    """How far raters agree: 1 wholly, 0 as chance would have it, below 0 less than that.

    Attributes:
        value: the coefficient; None where all ratings are the same, for then chance agrees wholly, too.
        low: lower end of its 95 % interval, from units drawn again; None as of `value`.
        high: its upper end.
        units: how many units at least two raters rated.
        ratings: how many ratings these have.
    """

    value: float | None
    low: float | None
    high: float | None
    units: int
    ratings: int


def cohen_kappa(
    one: Ratings, other: Ratings, categories: int, weights: Weights = "none", seed: int = 0
) -> RaterAgreement:
    """Return Cohen's kappa of two raters over the units that both rated.

    Args:
        one: the first rater's category of each unit by number, shape [unit]; `MISSING` where not rated.
        other: the second rater's.
        categories: how many there are; with weights in their order.
        weights: what a disagreement costs: all alike, or by the distance of the categories or its square.
        seed: of the units that are drawn again for the interval.

    Sources: Cohen, J. (1960), A coefficient of agreement for nominal scales, Educational and Psychological
    Measurement 20, 37-46; with weights Cohen (1968), Psychological Bulletin 70, 213-220.

    Raises:
        BadInputError: no unit was rated by both.

    >>> yes_no = [(0, 0)] * 20 + [(0, 1)] * 5 + [(1, 0)] * 10 + [(1, 1)] * 15
    >>> found = cohen_kappa(np.array([a for a, _ in yes_no]), np.array([b for _, b in yes_no]), 2)
    >>> round(found.value, 3)
    0.4
    """
    both = (one != MISSING) & (other != MISSING)
    if not both.any():
        raise BadInputError("no row was rated by both raters; kappa needs rows that both have seen")
    one, other = one[both], other[both]
    places = np.arange(categories)
    apart = np.abs(places[:, None] - places[None, :]).astype(np.float64)
    cost = {"none": (apart > 0).astype(np.float64), "linear": apart, "quadratic": apart**2}[weights]
    costs = cost[one, other]
    first, second = np.eye(categories)[one], np.eye(categories)[other]

    def compute(counts: Floats) -> Floats:
        """Return kappa where each unit counts so often, counts [draw, unit]."""
        total = counts.sum(axis=1)
        observed = counts @ costs / total
        expected = np.einsum("dc,ck,dk->d", counts @ first, cost, counts @ second) / total**2
        return _beyond_chance(observed, expected)

    return _with_interval(compute, len(costs), 2 * len(costs), seed)


def krippendorff_alpha(
    ratings: Ratings, values: npt.NDArray[Any], level: Level = "nominal", seed: int = 0
) -> RaterAgreement:
    """Return Krippendorff's alpha over the units that at least two raters rated.

    Args:
        ratings: category of each unit by each rater, by number, shape [rater, unit]; `MISSING` where a rater
            did not rate it.
        values: of each category in its order, shape [category]; `interval` and `ratio` measure by them.
        level: how two categories differ: at all, by rank, by difference, or by ratio.
        seed: of the units that are drawn again for the interval.

    Source: Krippendorff, K. (2011), Computing Krippendorff's alpha-reliability,
    https://repository.upenn.edu/asc_papers/43, of which tests have the worked example.

    Raises:
        BadInputError: no unit was rated twice.
    """
    counts = np.stack([(ratings == place).sum(axis=0) for place in range(len(values))], axis=1)
    counts = counts[counts.sum(axis=1) >= 2].astype(np.float64)
    if not len(counts):
        raise BadInputError("no row was rated by two raters; alpha needs rows that at least two have seen")
    paired = counts.sum(axis=1)
    numbers = np.asarray(values, np.float64) if level in ("interval", "ratio") else np.arange(len(values))

    def compute(times: Floats) -> Floats:
        """Return alpha where each unit counts so often, times [draw, unit]."""
        found = np.empty(len(times))
        for place, one in enumerate(times):
            of_category = one @ counts
            total = of_category.sum()
            differences = _differences(numbers, of_category, level)
            # Of each unit the pairs of its ratings; a rating with itself differs by nothing.
            apart = ((counts @ differences) * counts).sum(axis=1) / (paired - 1)
            observed = (one @ apart) / total
            expected = of_category @ differences @ of_category / (total * (total - 1))
            found[place] = _beyond_chance(np.array([observed]), np.array([expected]))[0]
        return found

    return _with_interval(compute, len(counts), int(paired.sum()), seed)


def _differences(numbers: npt.NDArray[Any], of_category: Floats, level: Level) -> Floats:
    """Return how much every two categories differ, shape [category, category]."""
    one, other = numbers[:, None], numbers[None, :]
    if level == "nominal":
        return np.asarray(one != other, np.float64)
    if level == "interval":
        return np.asarray((one - other) ** 2, np.float64)
    if level == "ratio":
        sums = np.where(one + other == 0, 1.0, one + other)
        return np.asarray(((one - other) / sums) ** 2, np.float64)
    # By rank: ratings between the two, with half of each of them.
    middle = np.cumsum(of_category) - of_category / 2
    return np.asarray((middle[:, None] - middle[None, :]) ** 2, np.float64)


def _beyond_chance(observed: Floats, expected: Floats) -> Floats:
    return np.where(expected > 0, 1 - observed / np.where(expected > 0, expected, 1.0), np.nan)


def _with_interval(
    compute: Callable[[Floats], Floats], units: int, ratings: int, seed: int
) -> RaterAgreement:
    """Compute a coefficient and the interval of its middle 95 % over units that are drawn again."""
    value = float(compute(np.ones((1, units)))[0])
    if np.isnan(value):
        return RaterAgreement(None, None, None, units, ratings)
    rng = np.random.default_rng(seed)
    size = max(1, _AT_ONCE // units)
    drawn = [
        compute(
            rng.multinomial(units, np.full(units, 1 / units), min(size, _DRAWS - start)).astype(np.float64)
        )
        for start in range(0, _DRAWS, size)
    ]
    found = np.concatenate(drawn)
    found = found[~np.isnan(found)]
    low, high = (float(end) for end in np.percentile(found, [2.5, 97.5])) if len(found) else (value, value)
    return RaterAgreement(value, min(low, value), max(high, value), units, ratings)
