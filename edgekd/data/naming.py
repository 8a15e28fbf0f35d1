"""Give rows the names of columns that a task reads, and remember where each is from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from edgekd.config import Data
from edgekd.data.reader import Reader
from edgekd.data.taskdata import SPLITS
from edgekd.errors import DataError

_ALIASES = {"val": "validation", "valid": "validation", "dev": "validation", "calib": "calibration"}
OWN = ("id", "text", "label", "split")
PLACE = "\0place"  # where a row is from; no column has this name, and no table gets it


@dataclass(frozen=True)
class Place:
    """The file and row that a row is from, for people; with its id where the file has ids."""

    file: str
    row: int
    id: str | None

    def __str__(self) -> str:
        return f"{self.file} row {self.row}" + ("" if self.id is None else f" (id {self.id:.60})")


def name_rows(
    rows: list[dict[str, Any]],
    data: Data,
    reader: Reader | None,
    source: str,
    split_column: str,
    prefix: str = "",
) -> list[dict[str, Any]]:
    """Give the columns that the task reads their own names; without a reader, targets come from elsewhere."""
    columns = data.columns
    found = dict.fromkeys(name for row in rows for name in row)
    own = {"text": columns.text, "id": columns.id, "split": split_column}
    if reader is not None:
        own |= {name: columns.find(name) for name in reader.columns}
        # Where a row has more than its text, the target may stand with that: see `Reader.arrange`.
        own |= {} if reader.columns and columns.label not in found else {"label": columns.label}
    for key, column in own.items():
        if column is not None and column not in found:
            raise DataError(
                f"{source}: has no column '{column}' (data.columns.{key}); found: {', '.join(found)}"
            )
    splits, file = _split_names(data), Path(source).name
    named = []
    for number, row in enumerate(rows, start=1):
        value = str(row.get(split_column))
        if data.splits is not None and value not in splits:
            continue  # the project does not use it
        if value not in splits:
            raise DataError(
                f"{source}: row {number}: split '{value:.60}' is not known; map it in data.splits"
            )
        used = {*own.values(), *own, *OWN}
        rest = {name: v for name, v in row.items() if name not in used}
        name = f"{prefix}{number}" if columns.id is None else _read_id(row.get(columns.id), source, number)
        given = {key: row.get(column) for key, column in own.items() if column is not None}
        own_values = {**dict.fromkeys(OWN), **given, "id": name, "split": splits[value]}
        place = Place(file, number, None if columns.id is None else name)
        named.append({**own_values, **rest, PLACE: place})
    return named


def _read_id(value: Any, source: str, number: int) -> str:
    """Return an id as text: ids name rows, and none is computed with, however many digits one has."""
    if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
        return str(value)
    if value is None or value == "" or value != value:
        raise DataError(f"{source}: row {number}: column id is empty; give every row an id of its own")
    if isinstance(value, float | bytes | Decimal | date | UUID):
        return str(value)
    raise DataError(f"{source}: row {number}: column id must be text or a number, got {value!r:.60}")


def _split_names(data: Data) -> dict[str, str]:
    if data.splits is None:
        return {**{name: name for name in SPLITS}, **_ALIASES}
    return {value: name for name, values in data.splits.items() for value in values}


def place_of(row: Mapping[str, Any]) -> str:
    """Name a row for people: where it is from, or by its id where it is from no file."""
    return str(row.get(PLACE) or f"row {row['id']}")


def say_where(row: Mapping[str, Any], source: str, number: int) -> str:
    """Name a row in an error: its file's name, its number there and its id."""
    place = row.get(PLACE) or Place(source, number, None)
    return f"{place.file}: row {place.row} (id {row['id']!s:.60})"
