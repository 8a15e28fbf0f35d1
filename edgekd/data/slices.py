"""Slices: SQL predicates over the rows' columns, run where no file or network can be reached."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edgekd.config import Slice
from edgekd.data.taskdata import TaskData
from edgekd.data.volatile import ROWS, find_too_much, find_volatile
from edgekd.errors import SliceError

if TYPE_CHECKING:
    import duckdb

_SECONDS = 3.0
_ROWS_PER_SECOND = 100_000
"""A predicate over a million rows takes well under a second; one that needs ten times that is a slip."""
_MEMORY = "2GiB"
_MOST_CHARACTERS, _MOST_DEPTH = 20_000, 100
"""Beyond them DuckDB's parser may take minutes, and nothing interrupts that."""


def slice_masks(data: TaskData, slices: Sequence[Slice]) -> dict[str, npt.NDArray[np.bool_]]:
    """Compute which rows belong to each slice; a mask has shape [row].

    Raises:
        SliceError: if a predicate is not one SQL expression of type BOOLEAN over the columns,
            or reads anything but the rows, such as a clock; if a metric's classes name an unknown one.
    """
    for item in slices:
        for label in item.classes:
            if label not in data.outputs:
                kind = f"{item.of_classes}_of"
                raise SliceError(f"slice '{item.name}': {kind} names '{label}', which is not a class")
    found = _find_masks(data, [(item.where, f"slice '{item.name}'") for item in slices])
    return {item.name: mask for item, mask in zip(slices, found, strict=True)}


def select_rows(data: TaskData, where: str, what: str) -> npt.NDArray[np.bool_]:
    """Compute which rows a predicate selects; `what` names it in errors.

    Raises:
        SliceError: as of `slice_masks`.
    """
    return _find_masks(data, [(where, what)])[0]


def judge_rows(data: TaskData, where: str, what: str) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Compute for which rows a predicate is true and for which it is false; where it is null it is neither.

    Raises:
        SliceError: as of `slice_masks`.
    """
    with _rows(data) as connection:
        values = _values(connection, len(data), where, what)
    return np.array([one is True for one in values], np.bool_), np.array(
        [one is False for one in values], np.bool_
    )


def select_traffic(data: TaskData, sample: str | None) -> npt.NDArray[np.bool_] | None:
    """Compute which rows were drawn as traffic comes; None where all were.

    Raises:
        SliceError: as of `slice_masks`, or if no row of the split is.
    """
    if sample is None:
        return None
    mask = select_rows(data, sample, "data.sample")
    if len(mask) and not mask.any():
        raise SliceError(f"data.sample: matches none of {len(mask)} rows: {sample}")
    return mask


def _find_masks(data: TaskData, asked: Sequence[tuple[str, str]]) -> list[npt.NDArray[np.bool_]]:
    """Compute a mask per predicate, each beside its name in errors; once for the same rows and predicate.

    Masks are shared, so they cannot be written to.
    """
    if any(where not in data.masks for where, _ in asked):
        with _rows(data) as connection:
            for where, what in asked:
                mask = _mask(connection, len(data), where, what)
                mask.flags.writeable = False
                data.masks[where] = mask
    return [data.masks[where] for where, _ in asked]


@contextmanager
def _rows(data: TaskData) -> Iterator[duckdb.DuckDBPyConnection]:
    import duckdb

    alone = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    bounds = {"memory_limit": _MEMORY, "max_temp_directory_size": "0GiB", "max_expression_depth": "500"}
    connection = duckdb.connect(":memory:", config={"threads": 1, **alone})
    try:
        try:
            connection.register("source", data.table)
            connection.execute(f"CREATE TABLE {ROWS} AS SELECT * FROM source")
            connection.unregister("source")
        except duckdb.Error as error:  # two names that differ in case alone, or a type that it does not know
            words = " ".join(str(error).split())[:200]
            raise SliceError(
                f"the rows' columns cannot be read by slices: {words}; rename or leave out"
            ) from None
        # A time with a zone has its date where the slice is evaluated; let that be the same place everywhere.
        connection.execute("SET TimeZone = 'UTC'")
        for name, bound in bounds.items():
            connection.execute(f"SET {name} = '{bound}'")
        connection.execute("SET python_enable_replacements = false")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection
    finally:
        connection.close()


def _depth(where: str) -> int:
    """Return how many brackets are open at once at most; those in texts count, too."""
    depth = most = 0
    for letter in where:
        if letter in "([{":
            depth += 1
            most = max(most, depth)
        elif letter in ")]}":
            depth -= 1
    return most


@contextmanager
def _interrupted_after(connection: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    watch = threading.Timer(seconds, connection.interrupt)
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()


def _mask(connection: duckdb.DuckDBPyConnection, rows: int, where: str, what: str) -> npt.NDArray[np.bool_]:
    values = _values(connection, rows, where, what)
    return np.array([value is True for value in values], dtype=np.bool_)


def _values(connection: duckdb.DuckDBPyConnection, rows: int, where: str, what: str) -> list[bool | None]:
    """Compute a predicate for each row; None where it is null."""
    import duckdb

    if _depth(where) > _MOST_DEPTH:
        raise SliceError(f"{what}: where is nested deeper than {_MOST_DEPTH} levels: {where!r:.60}")
    if len(where) > _MOST_CHARACTERS:
        raise SliceError(
            f"{what}: where has {len(where):,} characters; expected at most {_MOST_CHARACTERS:,}"
        )
    limit = _SECONDS + rows / _ROWS_PER_SECOND
    try:
        predicate = duckdb.SQLExpression(where)
        if much := find_too_much(where):
            raise SliceError(f"{what}: where makes more than any row holds: {much}: {where!r:.200}")
        relation = connection.table(ROWS).select(predicate.alias("mask"))
        kind = str(relation.types[0])
        if kind != "BOOLEAN":
            raise SliceError(f"{what}: where must be true or false, got {kind}: {where:.200}")
        if volatile := find_volatile(where, tuple(connection.table(ROWS).columns)):
            raise SliceError(
                f"{what}: where reads {volatile}, which is no property of a row and may be another one next "
                f"time; expected a predicate over the columns: {where:.200}"
            )
        with _interrupted_after(connection, limit):
            # One more than there should be: a predicate can make many rows of one.
            values = [row[0] for row in relation.limit(rows + 1).fetchall()]
    except duckdb.InterruptException:
        raise SliceError(
            f"{what}: where takes longer than {limit:.0f} s over {rows:,} rows, as one does that recurses "
            f"without end: {where!r:.200}"
        ) from None
    except (duckdb.Error, RuntimeError, ValueError) as error:
        words = " ".join(str(error).split("\n")[0].split())[:200]
        raise SliceError(f"{what}: where is not a predicate: {where!r:.200}: {words}") from None
    if len(values) != rows:
        raise SliceError(f"{what}: where must give one value a row: {where!r:.200}")
    return values
