"""A share of rows that may count unequally, with bounds."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgekd.errors import BadInputError
from edgekd.stats.interval import Interval


@dataclass(frozen=True)
class Tally:
    """How many rows are right and how many are wrong, each row counted by its weight.

    `right_squares` and `wrong_squares` are the sums of the squared weights. Where every row weighs 1 they
    equal the counts, and bounds are exact.
    """

    right: float
    wrong: float
    right_squares: float
    wrong_squares: float

    @classmethod
    def of(cls, hits: npt.NDArray[np.bool_], weights: npt.NDArray[np.float64] | None = None) -> Tally:
        """Count `hits` [row], each by its weight [row] of at most 1, or as 1."""
        if weights is None:
            right = float(hits.sum())
            return cls(right, len(hits) - right, right, len(hits) - right)
        parts = weights[hits], weights[~hits]
        return cls(*(float(part.sum()) for part in parts), *(float((part**2).sum()) for part in parts))

    @property
    def share(self) -> float:
        """Share of the weight that is right; not a number where nothing weighs anything."""
        total = self.right + self.wrong
        return self.right / total if total > 0 else math.nan

    def at(self, confidence: float) -> Interval:
        """Return the share with a lower and an upper bound, each one-sided at `confidence`.

        Unweighted rows have the bounds of Clopper and Pearson (1934), which err no more often than they say.
        Weighted rows have those of the ratio of two weighted sums of Poisson counts: each sum by the gamma
        bounds of Fay and Feuer (1997, Statistics in Medicine 16, 791-801), joined by the method of variance
        estimates recovery for ratios (Donner and Zou, 2012, Statistical Methods in Medical Research 21,
        347-359).

        Raises:
            BadInputError: if there is no row, or the confidence is no share.

        >>> Tally(96.0, 4.0, 96.0, 4.0).at(0.95).low > 0.908
        True
        """
        if not 0 < confidence < 1:
            raise BadInputError(f"confidence must be between 0 and 1, got {confidence}")
        if not self.right + self.wrong > 0:
            raise BadInputError("a share needs at least one row")
        if self.right == self.right_squares and self.wrong == self.wrong_squares:
            low, high = _exact(round(self.right), round(self.right + self.wrong), confidence)
        else:
            low, high = self._weighted(confidence)
        return Interval(self.share, min(low, self.share), max(high, self.share), confidence)

    def _weighted(self, confidence: float) -> tuple[float, float]:
        right_low, right_high = _gamma_bounds(self.right, self.right_squares, confidence)
        wrong_low, wrong_high = _gamma_bounds(self.wrong, self.wrong_squares, confidence)
        product = self.right * self.wrong
        spread = right_low * (2 * self.right - right_low) * wrong_high * (2 * self.wrong - wrong_high)
        odds = product - math.sqrt(max(0.0, product**2 - spread))
        divisor = wrong_high * (2 * self.wrong - wrong_high)
        low_odds = odds / divisor if divisor else 0.0
        spread = right_high * (2 * self.right - right_high) * wrong_low * (2 * self.wrong - wrong_low)
        odds = product + math.sqrt(max(0.0, product**2 - spread))
        divisor = wrong_low * (2 * self.wrong - wrong_low)
        high = (odds / divisor) / (1 + odds / divisor) if divisor > 0 else 1.0
        return max(0.0, low_odds / (1 + low_odds)), high


def exact_floor_rows(
    share: float, floor: float, confidence: float = 0.95, most: int = 10_000_000
) -> int | None:
    """Return how many rows prove a floor where a share of them, rounded, is right; None if none would.

    The proof is the exact one-sided lower bound of `Tally`. Where the share is at or under the floor, no
    number of rows proves it.

    >>> exact_floor_rows(1.0, 0.93)
    42
    >>> exact_floor_rows(0.95, 0.95) is None
    True
    """
    if share <= floor:
        return None

    def proves(n: int) -> bool:
        return _exact(round(share * n), n, confidence)[0] >= floor

    low, high = 0, 1
    while not proves(high):
        low, high = high, high * 2
        if high > most:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if proves(middle) else (middle, high)
    return high


def _exact(hits: int, n: int, confidence: float) -> tuple[float, float]:
    from scipy.special import betaincinv

    low = 0.0 if hits == 0 else float(betaincinv(hits, n - hits + 1, 1 - confidence))
    high = 1.0 if hits == n else float(betaincinv(hits + 1, n - hits, confidence))
    return low, high


def _gamma_bounds(total: float, squares: float, confidence: float) -> tuple[float, float]:
    """Bound the mean of a weighted sum of Poisson counts; no weight is above 1."""
    from scipy.special import gammaincinv

    low = 0.0
    if total > 0:
        low = squares / total * float(gammaincinv(total**2 / squares, 1 - confidence))
    more, spread = total + 1, squares + 1
    return low, spread / more * float(gammaincinv(more**2 / spread, confidence))


def hits_to_prove(floor: float, n: int, confidence: float) -> int:
    """Return how many of `n` rows must be hits so that their lower bound is at least `floor`; `n` if none do.

    >>> hits_to_prove(0.9, 100, 0.95)
    96
    """
    return bisect_left(
        range(n), floor, key=lambda hits: Tally(hits, n - hits, hits, n - hits).at(confidence).low
    )
