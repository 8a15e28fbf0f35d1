"""What a student may cost on a target, and what it is thought to cost."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from edgekd.errors import BadInputError

_MOST_POINTS = 100
CONFIDENCE = 0.9
"""Of every interval of a guess."""


@dataclass(frozen=True)
class Guess:
    """A predicted figure, with the ends of its interval at 90 %."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Cost:
    """What one shape costs on one target: times in ms, sizes in MiB."""

    p50_ms: Guess
    p95_ms: Guess
    cold_start_ms: Guess
    peak_rss_mib: Guess
    artifact_mib: Guess

    def of(self, figure: str) -> Guess:
        """Return the figure of this name."""
        found: Guess = getattr(self, figure)
        return found


FIGURES = tuple(field.name for field in fields(Cost))
"""Names of a cost's figures."""


@dataclass(frozen=True)
class Budget:
    """Hard limits on a student's cost, and how many points it may lose; None: not limited."""

    p95_ms: float | None = None
    peak_rss_mib: float | None = None
    artifact_mib: float | None = None
    cold_start_ms: float | None = None
    max_drop: float | None = None

    def __post_init__(self) -> None:
        for name, limit in self.limits.items():
            if not 0 < limit < math.inf:
                raise BadInputError(f"--{name.replace('_', '-')}: expected a number above 0, got {limit:g}")
        if self.max_drop is not None and not 0 <= self.max_drop <= _MOST_POINTS:
            raise BadInputError(
                f"--max-drop: expected points from 0 to {_MOST_POINTS}, got {self.max_drop:g}"
            )

    @property
    def limits(self) -> dict[str, float]:
        """The hard limits that are set, by the name of the cost's figure."""
        return {name: limit for name in LIMITED if (limit := getattr(self, name)) is not None}


LIMITED = ("p95_ms", "peak_rss_mib", "artifact_mib", "cold_start_ms")
"""Figures of a cost that a budget can limit."""
