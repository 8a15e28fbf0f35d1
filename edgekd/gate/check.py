"""What one gate says of one variant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgekd.evaluate.record import Record

Status = Literal["pass", "warning", "fail", "inconclusive", "not eligible", "not measured"]
"""`warning`: passes, but somebody should look; `not eligible`: a limit of size that such a build exceeds by
what it is."""

QUALITY, FLOOR, ABOVE = "quality", "floor ", "above-"
"""How the names of checks of quality begin: of margins, of floors, and of baselines to exceed."""
PASSING: frozenset[Status] = frozenset(("pass", "warning"))


@dataclass(frozen=True)
class Check(Record):
    """What one gate found. Only those that pass, if with a warning, let a variant be promoted."""

    name: str
    status: Status
    found: str
    limit: str
    reason: str

    @property
    def slice(self) -> str:
        """Name of the slice that it is of, where it is of one."""
        return self.name.partition(" ")[2]

    @property
    def is_of_quality(self) -> bool:
        """Whether it is of a slice's quality, and so of what test rows prove."""
        return self.name.startswith((QUALITY, FLOOR, ABOVE))

    @property
    def passes(self) -> bool:
        """Whether it lets a variant be promoted."""
        return self.status in PASSING


def combine(checks: tuple[Check, ...]) -> Status:
    """Return the status of a variant: its worst check's, where a failure is worse than not knowing."""
    order: tuple[Status, ...] = ("fail", "inconclusive", "not eligible", "not measured")
    found = {check.status for check in checks}
    return next((status for status in order if status in found), "pass")
