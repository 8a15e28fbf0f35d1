"""Settings of a routing policy that are tried, and what comes of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgekd.evaluate.arrays import Flags

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Setting:
    """One policy that was tried: its calls, and how many hits it loses and gains against the teacher."""

    calls: int
    lost: int
    gained: int
    max_prob: float
    refuse_below: float
    margin: float
    risk: float
    critical_prob: float


TRIED = np.dtype(
    [(name, int if name in ("calls", "lost", "gained") else float) for name in Setting.__annotations__]
)


@dataclass(frozen=True, eq=False)
class CriticalCut:
    """What comes of a threshold on critical answers: calls, and hits against the teacher.

    `ahead` counts the hits of each class that may yet be lost, and `kept` those of each limit.
    """

    prob: float
    calls: int
    lost: int
    gained: int
    ahead: Counts
    kept: Counts


@dataclass(frozen=True, eq=False)
class Tried:
    """Settings of the thresholds on answers that are not critical, and what comes of each.

    `missed` are hits against the teacher's of every critical class, [setting, class]; `kept` are those of
    every limit, [setting, limit].
    """

    table: npt.NDArray[np.void]
    missed: Counts
    kept: Counts


def columns_of(counts: Sequence[Counts], length: int) -> Counts:
    """Stack counts of settings into columns, none of them too."""
    return np.stack(counts, axis=1) if counts else np.zeros((length, 0), np.int64)


def count_before(flags: Flags) -> Counts:
    """Count those before each place, and before the end."""
    return np.concatenate([[0], np.cumsum(flags)])


def count_after(flags: Flags) -> Counts:
    """Count those from each place on."""
    return np.asarray(flags.sum() - count_before(flags))
