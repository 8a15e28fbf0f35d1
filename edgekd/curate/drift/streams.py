"""The figures of logs that are followed: shares of slices, and what is told of each row, per slice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from edgekd.curate.drift.daily import Daily, DaySums, Stream

Flags = npt.NDArray[np.bool_]
Values = npt.NDArray[np.floating]
_FEWEST = 5.0
"""Rows a day, on average, below which a slice's values are not followed: nothing would ever be shown."""


@dataclass(frozen=True, eq=False)
class Logged:
    """Rows of traffic as logs have them; arrays are in the order of the same rows.

    Attributes:
        days: ordinal of each row's day.
        slices: the rows of each slice, by its name.
        columns: the rows of each value of a column that divides the traffic, by the column's name.
        values: what is told of each row, 0 to 1, by the signal's name; not a number where nothing is known.
        answers: the rows with each answer of the model, where answers are few.
    """

    days: npt.NDArray[np.int64]
    slices: Mapping[str, Flags]
    columns: Mapping[str, Mapping[str, Flags]] = field(default_factory=dict)
    values: Mapping[str, Values] = field(default_factory=dict)
    answers: Mapping[str, Flags] = field(default_factory=dict)

    @property
    def parts(self) -> dict[str, tuple[str, Flags]]:
        """Every part of the traffic by its name (a slice, or `column=value`): its group and its rows."""
        found = {name: ("", mask) for name, mask in self.slices.items() if name != "overall"}
        for column, masks in self.columns.items():
            found |= {f"{column}={value}": (column, mask) for value, mask in masks.items()}
        return found


def add_up(log: Logged) -> Daily:
    """Add up every figure per day: the share of each part and answer, and each signal by part.

    Streams of one column, and those of one signal, are a group: one cause moves several of them.

    Raises:
        DataError: there is no row, or a value is not between 0 and 1.
    """
    sums = DaySums(log.days)
    days = int(log.days.max() - log.days.min()) + 1
    for name, (group, mask) in log.parts.items():
        sums.add(Stream("share", name, group), mask.astype(np.float32))
    for name, mask in log.answers.items():
        sums.add(Stream("share", f"answer={name}", "answer"), mask.astype(np.float32))
    for signal, values in log.values.items():
        sums.add(Stream(signal, "overall", signal), values)
        known = ~np.isnan(values)
        for name, (_, mask) in log.parts.items():
            if (mask & known).sum() >= _FEWEST * days:
                sums.add(Stream(signal, name, signal), values, mask)
    return sums.finish()
