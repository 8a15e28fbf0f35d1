"""Values between 0 and 1 of many rows as sums per day: all that drift is read from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from edgekd.errors import DataError

_MOST_DAYS = 3660
Sums = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Stream:
    """One figure that is followed: the mean of `signal` over the rows of a slice.

    Attributes:
        signal: "share" (how many rows are of the slice), or what is told of each row, as "confidence".
        slice: of which rows; "overall" are all.
        group: streams of one group move together, as the shares of a column's values; empty: none.
    """

    signal: str
    slice: str
    group: str = ""

    def __str__(self) -> str:
        return f"{self.signal} of {self.slice}"


@dataclass(frozen=True, eq=False)
class Daily:
    """Sums of streams per day, [stream, day] each: rows, the sum of values and that of their squares.

    `first` is the ordinal of the first day (`datetime.date.toordinal`).
    """

    streams: tuple[Stream, ...]
    first: int
    rows: Sums
    total: Sums
    squares: Sums

    @property
    def days(self) -> int:
        """How many days there are."""
        return int(self.rows.shape[1])


class DaySums:
    """Adds up streams; rows are given once for all, streams one by one."""

    def __init__(self, days: npt.NDArray[np.int64]) -> None:
        """Take the ordinal of each row's day [row].

        Raises:
            DataError: there is no row, or the days are further apart than logs are.
        """
        if not len(days):
            raise DataError("the logs hold no row; drift needs some of each day")
        self.first, last = int(days.min()), int(days.max())
        if last - self.first >= _MOST_DAYS:
            ends = " to ".join(str(date.fromordinal(day)) for day in (self.first, last))
            raise DataError(
                f"the logs are of {ends}; expected at most {_MOST_DAYS:,} days: correct the dates, or "
                "leave out what is older"
            )
        self._place = days - self.first
        self._size = int(self._place.max()) + 1
        self._found: list[tuple[Stream, Sums, Sums, Sums]] = []

    def add(
        self, stream: Stream, values: npt.NDArray[np.floating], mask: npt.NDArray[np.bool_] | None = None
    ) -> None:
        """Add a stream: `values` [row] from 0 to 1, not a number where nothing is known; `mask` its rows.

        Raises:
            DataError: a value is not between 0 and 1.
        """
        known = ~np.isnan(values) if mask is None else mask & ~np.isnan(values)
        taken, place = values[known].astype(np.float64), self._place[known]
        if len(taken) and not (taken.min() >= 0 and taken.max() <= 1):
            raise DataError(
                f"{stream}: values must be between 0 and 1, got {taken.min():g} to {taken.max():g}"
            )
        rows, total, squares = (
            np.bincount(place, weights, self._size).astype(np.float64)
            for weights in (np.ones(len(taken)), taken, taken**2)
        )
        self._found.append((stream, rows, total, squares))

    def finish(self) -> Daily:
        """Return the sums of all streams."""
        streams = tuple(stream for stream, *_ in self._found)
        rows, total, squares = (
            np.array([found[part] for found in self._found]).reshape(len(streams), self._size)
            for part in (1, 2, 3)
        )
        return Daily(streams, self.first, rows, total, squares)


def share_by(column: Sequence[object], least: float) -> dict[str, npt.NDArray[np.bool_]]:
    """Return the rows of each value of a column, as masks [row]; values rarer than `least` are left out.

    Rows without a value are of none.
    """
    values = np.array(["" if value is None else str(value) for value in column])
    names, inverse = np.unique(values, return_inverse=True)
    counts = np.bincount(inverse, minlength=len(names))
    frequent = [place for place in range(len(names)) if counts[place] >= least * len(inverse)]
    return {str(names[place]): np.asarray(inverse == place) for place in frequent if names[place]}
