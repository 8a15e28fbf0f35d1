"""Columns of a table: one type for all values of a column, in one file and over all files of a project."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from edgekd.errors import DataError


def make_table(rows: Sequence[Mapping[str, Any]], names: Iterable[str] | None = None) -> pa.Table:
    """Make a table of rows; without `names` it has the columns of every row, in their order."""
    found = dict.fromkeys(name for row in rows for name in row) if names is None else dict.fromkeys(names)
    return pa.table({name: make_column([row.get(name) for row in rows]) for name in found})


def make_column(values: Sequence[Any], kind: pa.DataType | None = None) -> pa.Array:
    """Make one column; values of several types, or beyond 64 bits, become text unless its type is given."""
    try:
        return pa.array(values, kind)
    except (pa.ArrowException, OverflowError, TypeError):
        if kind is not None:
            raise
        return pa.array([_as_text(value) for value in values], pa.string())


def list_values(table: pa.Table, source: str) -> list[dict[str, Any]]:
    """Return a table's rows; `source` names its file in errors.

    Raises:
        DataError: two columns have one name, or a value is none that Python has, such as the year 20000.
    """
    names = table.column_names
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{source}: has two columns named '{twice:.60}'; rename one of them")
    columns = []
    for name in names:
        try:
            columns.append(table[name].to_pylist())
        except (
            ValueError,
            OverflowError,
            TypeError,
            ArithmeticError,
            ImportError,
            pa.ArrowException,
        ) as error:
            words = " ".join(str(error).split())[:120]
            kind = table.schema.field(name).type
            raise DataError(
                f"{source}: column '{name:.60}' of type {kind} holds a value that cannot be read ({words}); "
                "write it as text"
            ) from None
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def find_disagreeing(tables: Iterable[pa.Table]) -> tuple[str, ...]:
    """Name the columns that files hold in types which have no type in common but text, as a postcode.

    Numbers agree with numbers, and nothing but empty values agrees with all.
    """
    kinds: dict[str, list[pa.DataType]] = {}
    for table in tables:
        for entry in table.schema:
            kinds.setdefault(entry.name, []).append(entry.type)
    return tuple(name for name, found in kinds.items() if not _agree(found))


def _agree(kinds: Sequence[pa.DataType]) -> bool:
    different = {_family(kind) for kind in kinds} - {"null"}
    return len(different) < 2


def _family(kind: pa.DataType) -> str:
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return "number"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "text"
    return str(kind)


def _as_text(value: Any) -> str | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        return value
    if not isinstance(value, dict | list | int | float):
        return str(value)
    try:
        return json.dumps(value, default=str)
    except (
        TypeError,
        ValueError,
        RecursionError,
    ):  # an integer of thousands of digits, or keys that are no texts
        return f"{type(value).__name__} that has no text"
