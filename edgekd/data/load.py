"""Load a task's rows: read, name the columns, split, check, carve, look for shared texts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from edgekd.config import Data
from edgekd.data import built_in
from edgekd.data.carve import carve_rows
from edgekd.data.check import check_rows, check_splits
from edgekd.data.class_reader import CLASSES
from edgekd.data.columns import make_column
from edgekd.data.leaving_out import leave_out_shared, leave_out_unlabelled
from edgekd.data.naming import OWN, PLACE, place_of, say_where
from edgekd.data.normalise import normalise
from edgekd.data.reader import Reader
from edgekd.data.shared import SharedTexts, find_shared, refuse_shared
from edgekd.data.source import read_source
from edgekd.data.taskdata import TaskData
from edgekd.data.unlabelled import read_unlabelled
from edgekd.errors import DataError


def load_data(data: Data, folder: Path, seed: int = 0, reader: Reader = CLASSES) -> TaskData:
    """Load and check the rows; `folder` is where relative paths start.

    Raises:
        DataError: with the file, row and column that is wrong.
    """
    return load_and_compare(data, folder, seed, reader)[0]


def load_and_compare(
    data: Data, folder: Path, seed: int = 0, reader: Reader = CLASSES
) -> tuple[TaskData, SharedTexts]:
    """Load and check the rows, and say which texts stand in more than one place.

    Raises:
        DataError: as of `load_data`; also if a test row has the text of a row of another split, unless the
            project allows it or leaves such rows out.
    """
    rows, source = read_source(data, folder, reader)
    if data.options and data.source not in built_in.NAMES:
        raise DataError("data.options belong to the built-in data; remove them")
    more = [folder / path for path in data.unlabelled]
    rows += read_unlabelled(more, rows, data.columns, tuple(reader.columns))
    rows = [{**reader.arrange(row, say_where(row, source, n))} for n, row in enumerate(rows, start=1)]
    check_rows(rows, [say_where(row, source, n) for n, row in enumerate(rows, start=1)], reader)
    forms = [normalise(row["text"]) for row in rows]
    rows, forms, dropped = leave_out_shared(rows, forms) if data.drop_shared_text else (rows, forms, 0)
    for name, carve in data.carve.items():
        rows = carve_rows(rows, forms, name, carve, reader, seed, source)
    rows, forms, unlabelled = leave_out_unlabelled(rows, forms)
    check_splits(rows, source)
    outputs = reader.find_outputs(rows, source)
    places = [place_of(row) for row in rows]
    shared = find_shared(rows, forms, places, tuple(reader.columns), dropped, unlabelled)
    if not data.allow_shared_text:
        refuse_shared(shared, source)
    return TaskData(_as_table(rows, source, reader), outputs, reader), shared


def _as_table(rows: list[dict[str, Any]], source: str, reader: Reader) -> pa.Table:
    names = [n for n in dict.fromkeys([*OWN, *(name for row in rows for name in row)]) if n != PLACE]
    columns = {name: [row.get(name) for row in rows] for name in names}
    columns["id"] = [str(v) for v in columns["id"]]
    kinds = {name: pa.string() for name in OWN} | {"label": reader.kind, **reader.columns}
    try:
        return pa.table({name: make_column(values, kinds.get(name)) for name, values in columns.items()})
    except (pa.ArrowException, TypeError, OverflowError):
        raise _refuse_value(rows, kinds, source) from None


def _refuse_value(rows: list[dict[str, Any]], kinds: Mapping[str, pa.DataType], source: str) -> DataError:
    """Name the first value that its column cannot have, such as a number for an unlabelled row's label."""
    for number, row in enumerate(rows, start=1):
        for name, kind in kinds.items():
            try:
                pa.array([row.get(name)], kind)
            except (pa.ArrowException, TypeError, OverflowError):
                where = say_where(row, source, number)
                return DataError(f"{where}: column {name} must be {kind}, got {row.get(name)!r:.60}")
    return DataError(f"{source}: holds values that no table can hold")
