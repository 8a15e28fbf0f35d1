"""Which rows people look at this week: those from whose review most is expected, within what they can do."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from edgekd.curate.review.item import Item
from edgekd.errors import BadInputError

_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Queue:
    """A week's rows, in the order in which they are looked at.

    Attributes:
        items: the rows.
        copies: how many raters look at each, shape [item].
        waiting: how many rows are left for later.
        gain: what is expected of the rows taken.
        gain_left: what would be expected of those that wait.
    """

    items: tuple[Item, ...]
    copies: tuple[int, ...]
    waiting: int
    gain: float
    gain_left: float

    @property
    def judgments(self) -> int:
        """How many judgments the queue asks for."""
        return sum(self.copies)


def plan_queue(items: Sequence[Item], capacity: int, twice: float = 0.0, seed: int = 0) -> Queue:
    """Fill a week's `capacity` of judgments with the rows from which most is expected.

    Of two rows with the same expected gain the one that came in first goes first. A share `twice` of the rows
    is looked at by two raters, drawn at random among those of the week: without such rows nobody knows how
    far raters agree, and if they were the hardest ones the figure would be of these alone.

    Raises:
        BadInputError: a capacity below one, or a share that is none.
    """
    if capacity < 1:
        raise BadInputError(f"capacity: expected 1 or more judgments a week, got {capacity}")
    if not 0 <= twice <= 1:
        raise BadInputError(f"twice: expected a share of the rows from 0 to 1, got {twice:g}")
    ordered = sorted(items, key=lambda item: (-item.gain, item.arrived or _NEVER, item.id))
    rows = min(len(ordered), max(1, int(capacity / (1 + twice) + 1e-9)))
    second = min(round(rows * twice), capacity - rows)
    chosen = set(random.Random(f"review/{seed}").sample(range(rows), second)) if second > 0 else set()
    taken, left = ordered[:rows], ordered[rows:]
    return Queue(
        items=tuple(taken),
        copies=tuple(2 if place in chosen else 1 for place in range(rows)),
        waiting=len(left),
        gain=sum(item.gain for item in taken),
        gain_left=sum(item.gain for item in left),
    )
