"""How much of the traffic a sample sees, and what it lacks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgekd.errors import BadInputError


@dataclass(frozen=True)
class PartCoverage:
    """One part of the traffic in a sample.

    Attributes:
        rows: of the sample.
        share: of the sample; `traffic_share` of the traffic.
        per_day: requests a day; None where the traffic is not known.
        expected: how many of the sample's rows show a failure that occurs at the rate `rare`.
        unseen: the chance that none does.
        missing: rows that the part lacks of the least that it should have.
    """

    name: str
    rows: int
    share: float
    traffic_share: float
    per_day: float | None
    expected: float
    unseen: float
    missing: int


@dataclass(frozen=True)
class Coverage:
    """A sample beside the traffic it is drawn from; `day_share` is its size by a day's requests."""

    rows: int
    day_share: float | None
    rare_per_day: float | None
    parts: tuple[PartCoverage, ...]

    @property
    def lacking(self) -> tuple[str, ...]:
        """Names of the parts that have too few rows."""
        return tuple(part.name for part in self.parts if part.missing)


def expected_failures(rows: int, rate: float) -> tuple[float, float]:
    """Return how many of `rows` show a failure of this rate, and the chance that none does.

    >>> expected_failures(25_000, 0.001)[0]
    25.0
    """
    if not 0 <= rate <= 1:
        raise BadInputError(f"a rate must be from 0 to 1, got {rate:g}")
    return rows * rate, math.exp(rows * math.log1p(-rate)) if rate < 1 else float(rows == 0)


def cover(
    sample: Mapping[str, npt.NDArray[np.bool_]],
    traffic: Mapping[str, npt.NDArray[np.bool_]],
    *,
    least: int = 100,
    rare: float = 0.001,
    per_day: float | None = None,
) -> Coverage:
    """Compare the parts of a sample with those of the traffic: masks [row], by name; "overall" is all.

    `rare` is the rate of a failure that should be seen, `least` how many rows each part needs.

    Raises:
        BadInputError: a part is in one of them only, or the requests a day are not more than 0.
    """
    if set(sample) != set(traffic):
        names = ", ".join(sorted(set(sample) ^ set(traffic)))
        raise BadInputError(
            f"coverage compares equal parts of sample and traffic; only one of them has: {names}"
        )
    if per_day is not None and not 0 < per_day < math.inf:
        raise BadInputError(f"requests a day: expected more than 0, got {per_day:g}")
    size, whole = len(sample["overall"]), len(traffic["overall"])
    parts = []
    for name, mask in sample.items():
        rows, share = int(mask.sum()), float(traffic[name].sum()) / max(1, whole)
        expected, unseen = expected_failures(rows, rare)
        requests = None if per_day is None else share * per_day
        parts.append(
            PartCoverage(
                name, rows, rows / max(1, size), share, requests, expected, unseen, max(0, least - rows)
            )
        )
    day_share = None if per_day is None else size / per_day
    return Coverage(size, day_share, None if per_day is None else rare * per_day, tuple(parts))
