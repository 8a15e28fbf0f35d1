"""How many rows with values decide about a margin, as `paired_power` says it of hits."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from edgekd.errors import BadInputError
from edgekd.stats.bounded import GRID, BoundedMean

_STEP = 0.25  # by how much a value is supposed to change where it does: a relevant candidate one place on
_KEPT_BACK = 0.2  # of the misses allowed: how rows differ is supposed, and never quite how they do
_MOST_ROWS = 10_000_000
_HALVINGS = 60
_STEEPEST = 200.0  # of a tilt, where values lie within 2


def suppose_differences(deviation: float, mean: float = 0.0) -> BoundedMean:
    """Return differences of such a standard deviation and mean: most rows alike, the others by a quarter.

    Raises:
        BadInputError: if there are no such differences between -1 and 1.

    >>> suppose_differences(0.1).places
    (-50, 0, 50)
    """
    square = deviation**2 + mean**2
    if deviation < 0 or square > 1:
        raise BadInputError(
            f"expected differences between -1 and 1, got a mean of {mean:g} and a deviation of {deviation:g}"
        )
    step = max(_STEP, math.sqrt(square))
    step = min(step, square / abs(mean)) if mean else step  # or else fewer than none would go the other way
    changed, lean = square / step**2, mean / step
    lost, gained = (max(0.0, (changed + sign * lean) / 2) for sign in (1, -1))
    place = round(step * GRID)
    return BoundedMean(mean, -1.0, (-place, 0, place), (100 * gained, 100 * (1 - changed), 100 * lost))


def values_to_decide(
    differences: BoundedMean, margin: float, *, confidence: float = 0.95, power: float = 0.9
) -> int:
    """Return how many rows prove, `power` of the times, that the mean is within the margin.

    Rows are supposed to be drawn from `differences` (reference less candidate). So many are needed that the
    bound of the sample at that quantile of its mean is the margin; the sample is the likeliest one with that
    mean (rows tilted exponentially), for where more is lost, more varies. The quantile is Cornish's and
    Fisher's with the skewness. A fifth of the misses is kept back.

    Source: Cornish, E. A. and Fisher, R. A. (1938), Moments and cumulants in the specification of
    distributions, Revue de l'Institut International de Statistique 5, 307-320.

    Raises:
        BadInputError: if the mean is not below the margin, or too near it (10 million rows).

    >>> values_to_decide(suppose_differences(0.1), 0.03)
    165
    """
    if not 0 < margin < 1 or differences.estimate >= margin:
        raise BadInputError(
            f"no number of rows proves a mean drop of {differences.estimate:g} to be within {margin:g}"
        )
    wanted = power + _KEPT_BACK * (1 - power)

    def is_enough(n: int) -> bool:
        return proves(differences, n, margin, confidence=confidence, power=wanted)

    short, enough = 1, 16
    while not is_enough(enough):
        if enough >= _MOST_ROWS:
            raise BadInputError(
                f"a drop of {differences.estimate:g} is too near its margin of {margin:g}: over "
                f"{_MOST_ROWS:,} rows would tell them apart"
            )
        short, enough = enough, min(_MOST_ROWS, 2 * enough)
    while enough - short > 1:
        middle = (short + enough) // 2
        short, enough = (short, middle) if is_enough(middle) else (middle, enough)
    return enough


def chance_to_hold(differences: BoundedMean, n: int, margin: float, *, confidence: float = 0.95) -> float:
    """Return the chance that n rows prove the mean to be within the margin, by the same sums.

    >>> chance_to_hold(suppose_differences(0.1), 165, 0.03) > 0.9
    True
    """
    low, high = 1e-9, 1 - 1e-9
    if not proves(differences, n, margin, confidence=confidence, power=low):
        return 0.0
    for _ in range(_HALVINGS // 2):
        power = (low + high) / 2
        is_proven = proves(differences, n, margin, confidence=confidence, power=power)
        low, high = (power, high) if is_proven else (low, power)
    return low


def gain_to_prove(
    deviation: float, n: int, least: float, *, confidence: float = 0.95, power: float = 0.9
) -> float | None:
    """Return the true gain, of such a deviation, that n rows prove to be `least`, `power` of the times.

    None where there is none below the deviation itself. A tenth of a point is told apart.
    """
    for tenths in range(math.ceil(1000 * max(least, 0)), math.floor(1000 * deviation)):
        supposed = suppose_differences(deviation, -tenths / 1000)
        if proves(supposed, n, -least, confidence=confidence, power=power):
            return tenths / 1000
    return None


def proves(differences: BoundedMean, n: int, margin: float, *, confidence: float, power: float) -> bool:
    """Say whether n rows prove, `power` of the times, that the mean is within the margin."""
    values = np.array(differences.places) / GRID
    shares = np.array(differences.rows) / sum(differences.rows)
    worse = _tilted(values, shares, _quantile(values, shares, n, NormalDist().inv_cdf(power)))
    sample = BoundedMean(float(worse @ values), differences.least, differences.places, tuple(n * worse))
    return sample.at(confidence).high <= margin


def _quantile(values: npt.NDArray[np.float64], shares: npt.NDArray[np.float64], n: int, z: float) -> float:
    mean = float(shares @ values)
    variance = float(shares @ (values - mean) ** 2)
    if variance == 0:
        return mean
    skew = float(shares @ (values - mean) ** 3) / variance
    return mean + z * math.sqrt(variance / n) + skew * (z * z - 1) / (6 * n)


def _tilted(
    values: npt.NDArray[np.float64], shares: npt.NDArray[np.float64], mean: float
) -> npt.NDArray[np.float64]:
    """Return the shares times exp(tilt * value) for which this is the mean, or the nearest there is."""
    low, high = -_STEEPEST, _STEEPEST
    found = shares
    for _ in range(_HALVINGS):
        tilt = (low + high) / 2
        found = shares * np.exp(tilt * (values - values[-1 if tilt > 0 else 0]))
        found = found / found.sum()
        low, high = (tilt, high) if found @ values < mean else (low, tilt)
    return found
