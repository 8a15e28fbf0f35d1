"""How far a training goes that will be continued."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rung:
    """From where to where a training goes, in portions of so many rows.

    Attributes:
        portion: Rows of a portion.
        start: Portions that lie behind.
        end: Portions that lie behind afterwards, at a rate that does not fall: from there it goes on.
        branch: Portions of the branch off that end, in which the rate falls to 0.
        warmup: Portions in which the rate rises; all rungs of a training have the same.
    """

    portion: int
    start: int
    end: int
    branch: int
    warmup: int

    @property
    def rows_seen(self) -> int:
        """Rows that what is judged has learned from, counted as often as they were shown."""
        return self.portion * (self.end + self.branch)

    @property
    def rows_shown(self) -> int:
        """Rows that this rung alone shows, its branch among them."""
        return self.portion * (self.end - self.start + self.branch)
