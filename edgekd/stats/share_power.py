"""How many rows prove a share to be above a floor, or below a ceiling, and how often they do.

The proof is the exact one-sided bound of Clopper and Pearson at 95 %; all chances here are exact.
"""

from __future__ import annotations

import math

from edgekd.errors import BadInputError

_LOOKED_AT = (
    64  # sizes after one, in all of which the chance must hold: as counts are whole, it rises in teeth
)
_MOST_ROWS = 10_000_000


def hits_to_prove(n: int, floor: float, *, confidence: float = 0.95) -> int | None:
    """Return the fewest hits of n rows whose lower bound reaches the floor; None if not even n hits do.

    >>> hits_to_prove(58, 0.95), hits_to_prove(59, 0.95)
    (None, 59)
    """
    from scipy.special import bdtrc

    _check(n, floor, confidence)
    low, high = -1, n + 1  # so few are too few, so many are enough
    while high - low > 1:
        middle = (low + high) // 2
        too_few = middle < 1 or bdtrc(middle - 1, n, floor) > 1 - confidence
        low, high = (middle, high) if too_few else (low, middle)
    return high if high <= n else None


def chance_to_prove(n: int, share: float, floor: float, *, confidence: float = 0.95) -> float:
    """Return the chance that n rows prove the floor, where each is a hit with the chance `share`.

    >>> round(chance_to_prove(500, 0.97, 0.95), 4)
    0.6656
    """
    from scipy.special import bdtrc

    hits = hits_to_prove(n, floor, confidence=confidence)
    if hits is None:
        return 0.0
    return 1.0 if share >= 1 else float(bdtrc(hits - 1, n, share))


def share_to_prove(n: int, floor: float, *, power: float = 0.9, confidence: float = 0.95) -> float | None:
    """Return the least true share whose floor n rows prove `power` of the times; None if there is none."""
    from scipy.special import betaincinv

    hits = hits_to_prove(n, floor, confidence=confidence)
    return None if hits is None else float(betaincinv(hits, n - hits + 1, power))


def rows_to_prove(share: float, floor: float, *, power: float = 0.9, confidence: float = 0.95) -> int | None:
    """Return how many rows prove the floor `power` of the times; None if the share is not above it.

    >>> rows_to_prove(1, 0.95)
    59
    """
    _check(1, floor, confidence)
    if share <= floor:
        return None

    def is_enough(n: int) -> bool:
        tooth = math.ceil(2 / (1 - floor))
        steps = {round(step * tooth / _LOOKED_AT) for step in range(_LOOKED_AT + 1)}
        return all(chance_to_prove(n + step, share, floor, confidence=confidence) >= power for step in steps)

    short, enough = 0, 8
    while not is_enough(enough):
        if enough >= _MOST_ROWS:
            return None
        short, enough = enough, 2 * enough
    while enough - short > 1:
        middle = (short + enough) // 2
        short, enough = (short, middle) if is_enough(middle) else (middle, enough)
    return enough


def _check(n: int, floor: float, confidence: float) -> None:
    if n < 1:
        raise BadInputError(f"a share needs at least one row, got {n}")
    if not 0 < floor < 1 or not 0.5 < confidence < 1:
        raise BadInputError(
            f"expected a floor of 0 to 1 and a confidence of .5 to 1, got {floor}, {confidence}"
        )
