"""A threshold and a margin of its own for each family of answers, where fewer calls come of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgekd.evaluate.arrays import Flags, Scores

_CUTS = 40  # thresholds tried per family, at quantiles of the top probability of its answers


@dataclass(frozen=True, eq=False)
class Family:
    """Answers that share a threshold and a margin; those that are None are of all answers.

    Attributes:
        name: as the project has it.
        rows: which rows are answered with one of its labels.
        by_hand: whether the project gives the threshold, the margin, or both.
    """

    name: str
    rows: Flags
    max_prob: float | None = None
    margin: float | None = None
    by_hand: tuple[bool, bool] = (False, False)

    @property
    def is_own(self) -> bool:
        """Whether it has a threshold or a margin of its own."""
        return self.max_prob is not None or self.margin is not None


@dataclass(frozen=True)
class Served:
    """What comes of thresholds: calls, whether the policy holds, and what limits lack then."""

    calls: int
    holds: bool
    lacking: float


def tune_families(
    families: Sequence[Family],
    top: Scores,
    margins: Sequence[float],
    serve: Callable[[Sequence[Family]], Served],
    general: tuple[float, float],
) -> list[Family]:
    """Return the families with what is best for each, one after the other; `top` is a probability per row.

    A family leaves the `general` threshold and margin only where that makes fewer calls, the policy holds,
    and no more is missing to the limits than before. What the project sets by hand stays.
    """
    found = list(families)
    for place, family in enumerate(families):
        if all(family.by_hand) or not family.rows.any():
            continue
        best, least = found[place], serve(found)
        for cut in _cuts(family, top):
            for margin in (family.margin,) if family.by_hand[1] else margins:
                other = replace(family, max_prob=cut, margin=margin)
                if (other.max_prob, other.margin) == general:
                    continue
                served = serve([*found[:place], other, *found[place + 1 :]])
                if served.holds and served.lacking <= least.lacking and served.calls < least.calls:
                    best, least = other, served
        found[place] = best
    return found


def _cuts(family: Family, top: Scores) -> list[float | None]:
    if family.by_hand[0]:
        return [family.max_prob]
    of_family = np.quantile(top[family.rows], np.linspace(0, 1, _CUTS), method="lower")
    return [0.0, *(float(cut) for cut in np.unique(of_family) if cut > 0), 1.0]
