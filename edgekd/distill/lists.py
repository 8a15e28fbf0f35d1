"""Rows of several examples: which examples are of which row, and their outputs as one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float, Int

from edgekd.serving.request import UNIT, list_examples, split_request

NO_EXAMPLE = -1
"""Stands in a table of places where a row has no further example."""

Places = Int[np.ndarray, "row slot"]
"""Which of a row's examples are meant, by place; `NO_EXAMPLE` after the last one."""


@dataclass(frozen=True)
class Lists:
    """Row i has the examples `starts[i]` to `starts[i + 1]`, in the order of their places.

    `starts` has one entry more than there are rows, and begins with 0.
    """

    starts: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    @cached_property
    def counts(self) -> npt.NDArray[np.int64]:
        """Examples of each row, shape [row]."""
        return np.asarray(np.diff(self.starts))

    @cached_property
    def places(self) -> Places:
        """All places of each row, as many slots as the longest row has examples."""
        slots = np.arange(int(self.counts.max(initial=1)), dtype=np.int32)
        return np.where(slots[None, :] < self.counts[:, None], slots[None, :], NO_EXAMPLE)

    def fold(self, outputs: Float[np.ndarray, "example 1"]) -> Float[np.ndarray, "row place"]:
        """Lay the outputs of all examples out by row, in the same precision; NaN where there is no example.

        >>> Lists(np.array([0, 2, 3])).fold(np.array([[0.5], [1.5], [2.5]])).tolist()
        [[0.5, 1.5], [2.5, nan]]
        """
        is_real = self.places != NO_EXAMPLE
        table: npt.NDArray[Any] = np.full(is_real.shape, np.nan, dtype=outputs.dtype)
        table[is_real] = outputs[:, 0]
        return table

    def examples(self, rows: Int[np.ndarray, " picked"], places: Places) -> Examples:
        """Number the examples at some places of some rows; `places` has one row for each of them."""
        is_real = places != NO_EXAMPLE
        return Examples((self.starts[rows][:, None] + places)[is_real], is_real)

    def sums(self, values: Int[np.ndarray, " example"], places: Places) -> Int[np.ndarray, " row"]:
        """Add up a value of each example over the given places of every row."""
        is_real = places != NO_EXAMPLE
        chosen = np.minimum(self.starts[:-1, None] + np.maximum(places, 0), len(values) - 1)
        return np.asarray(np.where(is_real, values[chosen], 0).sum(axis=1))


class Examples(NamedTuple):
    """Some examples by number, shape [example], and which slots of a table they fill, row by row."""

    numbers: Int[np.ndarray, " example"]
    is_real: Bool[np.ndarray, "picked slot"]


def list_requests(requests: Sequence[str]) -> tuple[list[str], Lists]:
    """Return all examples of some requests, one request after the other, and which are of which."""
    parts = [list_examples(request) for request in requests]
    starts = np.zeros(len(parts) + 1, dtype=np.int64)
    np.cumsum([len(part) for part in parts], out=starts[1:])
    return [example for part in parts for example in part], Lists(starts)


def draw_places(
    targets: Float[np.ndarray, "row place"], size: int, is_taught: bool, rng: np.random.Generator
) -> Places:
    """Choose at random at most `size` examples of each row, in the order of their places.

    One with the highest target is always among them, where one is over 0. Targets are NaN where nobody
    judged, and such examples are chosen only where a teacher speaks of them; -1 where there is no example.
    """
    keys = np.where(targets != NO_EXAMPLE if is_taught else targets >= 0, rng.random(targets.shape), np.inf)
    judged = np.where(targets > 0, targets, 0.0)
    is_best = (judged > 0) & (judged == judged.max(axis=1, keepdims=True))
    first = np.where(is_best, keys, np.inf).argmin(axis=1)
    rows = np.flatnonzero(is_best.any(axis=1))
    keys[rows, first[rows]] = -1.0
    slots = max(1, min(size, int(np.isfinite(keys).sum(axis=1).max(initial=1))))
    chosen = np.argsort(keys, axis=1, kind="stable")[:, :slots]
    after = targets.shape[1]
    chosen = np.where(np.isfinite(np.take_along_axis(keys, chosen, axis=1)), chosen, after)
    chosen.sort(axis=1)
    return np.where(chosen == after, NO_EXAMPLE, chosen).astype(np.int32)


def take_places(table: npt.NDArray[Any], places: Places, missing: float) -> npt.NDArray[Any]:
    """Take the values [row, slot] at some places of a table [row, place], `missing` where there is none."""
    inside = np.minimum(np.maximum(places, 0), table.shape[1] - 1)
    return np.where(
        places == NO_EXAMPLE, table.dtype.type(missing), np.take_along_axis(table, inside, axis=1)
    )


def widen_table(table: npt.NDArray[Any], width: int, missing: float) -> npt.NDArray[Any]:
    """Give a table [row, place] more places, filled with `missing`, or take away some that nobody needs."""
    more = max(0, width - table.shape[1])
    return np.pad(table[:, :width], ((0, 0), (0, more)), constant_values=missing)


def parts_of(requests: Sequence[str]) -> list[str]:
    """Return every text that stands in some requests: queries and candidates, as often as they come."""
    return [part for request in requests for part in request.split(UNIT)]


def queries_of(requests: Sequence[str]) -> list[str]:
    """Return what each request asks, without its candidates."""
    return [split_request(request)[0] for request in requests]
