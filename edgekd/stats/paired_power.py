"""How many rows decide about a margin, and how often so many do."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from edgekd.errors import BadInputError
from edgekd.stats.paired import excess

Beyond = Callable[[npt.NDArray[np.float64], npt.NDArray[np.float64]], npt.NDArray[np.float64]]
_DEVIATIONS = 8  # of the count of discordant rows: what lies beyond has a chance under 1e-14
_LOOKED_AT = 64  # sizes within two teeth, in all of which the chance must hold
_MOST_ROWS = 10_000_000
_KEPT_BACK = 0.1  # of the misses allowed: rates are supposed, and never quite the true ones


def rows_to_decide(
    lost_rate: float, gained_rate: float, margin: float, *, confidence: float = 0.95, power: float = 0.9
) -> int:
    """Return how many rows decide, `power` of the times, if rows are lost and gained at these true rates.

    A drop below the margin is then proven to be, one above it is proven harm, by `paired_drop_bound`. The
    chance is exact (`chance_to_pass`, `chance_of_harm`); as counts are whole it rises in a saw's teeth: it
    holds for this size and the larger ones, and with a tenth of the misses to spare. A claim of harm,
    where many slices are judged, has a `confidence` of 1 - 5 % over their number.

    Raises:
        BadInputError: if the rates cannot be, or the drop is too near the margin (10 million rows).

    >>> rows_to_decide(0.02, 0.02, margin=0.015)
    1702
    """
    drop = _check(lost_rate, gained_rate, margin, confidence, power)
    wanted = power + _KEPT_BACK * (1 - power)
    chance = chance_to_pass if drop < margin else chance_of_harm
    tooth = math.ceil(2 / margin)
    stretch = np.unique(np.linspace(0, tooth, min(tooth + 1, _LOOKED_AT)).astype(int))

    def is_enough(n: int) -> bool:
        return all(
            chance(n + int(more), lost_rate, gained_rate, margin, confidence=confidence) >= wanted
            for more in stretch
        )

    normal = NormalDist()
    deviation = math.sqrt(lost_rate + gained_rate + margin)
    reach = (normal.inv_cdf(confidence) + normal.inv_cdf(wanted)) * deviation
    short, enough = 1, min(_MOST_ROWS, math.ceil((reach / (margin - drop)) ** 2) + 2)
    while not is_enough(enough):
        if enough >= _MOST_ROWS:
            raise BadInputError(
                f"a drop of {drop:g} is too near its margin of {margin:g}: over {_MOST_ROWS:,} rows would "
                "tell them apart; choose a margin farther from it"
            )
        short, enough = enough, min(_MOST_ROWS, 2 * enough)
    while enough - short > 1:
        middle = (short + enough) // 2
        short, enough = (short, middle) if is_enough(middle) else (middle, enough)
    return enough


def chance_to_pass(
    n: int, lost_rate: float, gained_rate: float, margin: float, *, confidence: float = 0.95
) -> float:
    """Return the chance that n rows prove the drop to be within the margin: its upper bound is at most that.

    Exact for these true rates: every count of discordant rows by its binomial chance, and for each the
    greatest count of lost rows that still passes. Where the true drop is the margin or more, it is
    the chance of a wrong pass. Fewer than two rows prove nothing.

    >>> round(chance_to_pass(1000, 0.02, 0.02, margin=0.03), 4)
    0.9978
    """
    if n < 2:
        return 0.0
    z = NormalDist().inv_cdf(confidence)
    return _chance_of_few(n, lost_rate, gained_rate, lambda lost, gained: excess(margin, lost, gained, n, z))


def chance_of_harm(
    n: int, lost_rate: float, gained_rate: float, margin: float, *, confidence: float = 0.95
) -> float:
    """Return the chance that n rows prove a drop beyond the margin: its lower bound is above that.

    Exact, see `chance_to_pass`. Where the true drop is the margin or less, it is the chance of a false alarm.

    >>> round(chance_of_harm(1000, 0.06, 0.02, margin=0.02), 4)
    0.728
    """
    if n < 2:
        return 0.0
    z = NormalDist().inv_cdf(confidence)
    return 1 - _chance_of_few(
        n, lost_rate, gained_rate, lambda lost, gained: -excess(-margin, gained, lost, n, z)
    )


def _chance_of_few(n: int, lost_rate: float, gained_rate: float, beyond: Beyond) -> float:
    """Return the chance that so few are lost that `beyond`, which rises with them, is 0 at most."""
    from scipy.special import bdtr, gammaln, xlog1py, xlogy

    rate = lost_rate + gained_rate
    spread = _DEVIATIONS * math.sqrt(n * rate * (1 - rate)) + 2 * _DEVIATIONS
    counts = np.arange(max(0, int(n * rate - spread)), min(n, int(n * rate + spread)) + 1)
    ways = gammaln(n + 1) - gammaln(counts + 1) - gammaln(n - counts + 1)
    weight = np.exp(ways + xlogy(counts, rate) + xlog1py(n - counts, -rate))
    few, many = np.full(len(counts), -1), counts + 1  # of lost rows, for each count of discordant ones
    while np.any(many - few > 1):
        middle = (few + many) // 2
        is_few = beyond(middle.astype(float), (counts - middle).astype(float)) <= 0
        open_ = many - few > 1
        few, many = np.where(open_ & is_few, middle, few), np.where(open_ & ~is_few, middle, many)
    share = lost_rate / rate if rate else 0.0
    at_most = np.where(few < 0, 0.0, np.where(few >= counts, 1.0, bdtr(np.maximum(few, 0), counts, share)))
    return float((weight * at_most).sum())


def _check(lost: float, gained: float, margin: float, confidence: float, power: float) -> float:
    for name, rate in (("lost", lost), ("gained", gained)):
        if not 0 <= rate <= 1:
            raise BadInputError(f"{name}: expected a share from 0 to 1, got {rate:g}")
    if lost + gained > 1 or not 0 < margin < 1:
        raise BadInputError(
            "expected shares of lost and gained that add up to 1 at most, a margin within 0 and 1"
        )
    if math.isclose(lost - gained, margin):
        raise BadInputError(f"no number of rows tells a drop of {margin:g} from its margin")
    if not 0.5 < confidence < 1 or not 0.5 <= power < 1:
        raise BadInputError(f"expected a confidence and power of .5 to 1, got {confidence:g} and {power:g}")
    return lost - gained
