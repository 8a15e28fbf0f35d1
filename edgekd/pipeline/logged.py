"""Read logs of live traffic: the rows, their days, and what is followed of them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from edgekd.config import Slice
from edgekd.curate.drift.daily import share_by
from edgekd.curate.drift.lexicon import Lexicon, Novelty
from edgekd.curate.drift.streams import Logged, Values
from edgekd.curate.words import Words, split_words
from edgekd.data.age import read_day
from edgekd.data.files import read_table
from edgekd.data.slices import select_rows, slice_masks
from edgekd.data.taskdata import TaskData
from edgekd.errors import ConfigError, DataError, SliceError, unknown_name
from edgekd.pipeline.context import Context

ANSWER, TEACHER, LABEL = "student", "teacher", "label"
"""Columns of logs that `edgekd evaluate --shadow` reads, too."""
VALUE, TEACHER_VALUE, MISS = "value", "teacher_value", "miss"
NUMBERS = ("confidence", "margin", VALUE, TEACHER_VALUE, MISS)
"""Further columns, each a number from 0 to 1 or true and false, empty where nothing is known."""
_MOST_ANSWERS = 60
_LEAST_SHARE = 0.005


@dataclass(frozen=True, eq=False)
class Traffic:
    """Logs as they are read.

    Attributes:
        rows: every row, with the columns that slices read.
        log: what is followed of them.
        words: of each text; `novelty`: what of them no training row has.
        left_out: slices that logs have no columns for, with the reason.
    """

    rows: TaskData
    log: Logged
    words: Words
    novelty: Novelty
    left_out: Mapping[str, str]

    def values(self, name: str) -> Values | None:
        """Return a signal [row]; None where logs do not have it."""
        return self.log.values.get(name)


def read_traffic(context: Context, path: Path, train: TaskData) -> Traffic:
    """Read a file of logged rows (JSON lines, CSV or Parquet).

    It has the project's text column and its column of dates (`data.columns.date`), those that slices read,
    and what else is known: see `ANSWER`, `TEACHER`, `LABEL` and `NUMBERS`.

    Raises:
        ConfigError: the project names no column of dates.
        DataError: a column is missing, or holds something else.
    """
    columns, settings = context.project.data.columns, context.project.curate
    if columns.date is None:
        raise ConfigError("drift needs data.columns.date: the column of each row's date, in rows and in logs")
    table = _read(context, path)
    rows = _as_rows(table, context, train, path)
    days = np.array(
        [
            read_day(value, f"{place + 1} of {path.name}", columns.date).toordinal()
            for place, value in enumerate(table[columns.date].to_pylist())
        ],
        np.int64,
    )
    _find_at_once(context, rows)
    words = split_words(rows.table["text"])
    novelty = Lexicon.of(train.texts).look(words)
    values: dict[str, Values] = {
        "misspelt": novelty.misspelt.astype(np.float32),
        "new words": novelty.new.astype(np.float32),
    }
    values |= {name: _numbers(table, name, path) for name in NUMBERS if name in table.column_names}
    if {ANSWER, TEACHER} <= set(table.column_names):
        values["agreement"] = _equal(table[ANSWER], table[TEACHER])
    if ANSWER in table.column_names and VALUE not in values and pa.types.is_string(rows.table["label"].type):
        values[VALUE] = _equal(table[ANSWER], rows.table["label"])
    for signal in settings.signals:
        hits = select_rows(rows, signal.where, f"signal '{signal.name}'")
        among = select_rows(rows, signal.among, f"signal '{signal.name}'")
        values[signal.name] = np.where(among, hits, np.nan).astype(np.float32)
    slices, left_out = _find_slices(context, rows)
    parts = {}
    for name in settings.by:
        if name not in table.column_names:
            raise DataError(f"{path}: curate.by: {unknown_name('column', name, table.column_names)}")
        parts[name] = share_by(table[name].to_pylist(), _LEAST_SHARE)
    log = Logged(days, slices, parts, values, _answers(table))
    return Traffic(rows, log, words, novelty, left_out)


def _read(context: Context, path: Path) -> pa.Table:
    columns = context.project.data.columns
    table = read_table(path, (columns.text,))
    reader = context.task.reader
    needed = {"text": columns.text, "date": str(columns.date)}
    needed |= {name: columns.find(name) for name in reader.columns}
    for key, name in needed.items():
        if name not in table.column_names:
            raise DataError(
                f"{path}: has no column '{name}' (data.columns.{key}); found: {', '.join(table.column_names)}"
            )
    if table[columns.text].null_count or not pa.types.is_string(table[columns.text].type):
        raise DataError(f"{path}: column '{columns.text}' must hold a text in every row")
    return table


def _as_rows(table: pa.Table, context: Context, train: TaskData, path: Path) -> TaskData:
    """Give the columns their own names; a row's id is its number in the file."""
    columns, reader, n = context.project.data.columns, context.task.reader, table.num_rows
    label = columns.label if columns.label in table.column_names else LABEL
    own: dict[str, pa.Array | pa.ChunkedArray] = {
        "id": pa.array([str(place + 1) for place in range(n)]),
        "text": table[columns.text],
        "label": table[label] if label in table.column_names else pa.nulls(n, reader.kind),
        "split": pa.array(["unlabelled"]).take(pa.array(np.zeros(n, np.int64))),
    }
    if reader.columns:  # a row is more than its text: it is read one by one, as the project's rows are
        own |= {name: table[columns.find(name)] for name in reader.columns}
        named = ("text", "label", *reader.columns)
        rows = zip(*(own[name].to_pylist() for name in named), strict=True)
        arranged = [
            reader.arrange(dict(zip(named, row, strict=True)), f"{path.name}: row {place}")
            for place, row in enumerate(rows, start=1)
        ]
        kinds = {"text": pa.string(), "label": reader.kind, **reader.columns}
        own |= {name: pa.array([row[name] for row in arranged], kinds[name]) for name in named}
    try:
        own["label"] = own["label"].cast(reader.kind)
    except pa.ArrowException:
        raise DataError(f"{path}: column '{label}' must be {reader.kind}") from None
    read = {*own, columns.text, columns.label, *(columns.find(name) for name in reader.columns)}
    rest = {name: table[name] for name in table.column_names if name not in read}
    return TaskData(pa.table({**own, **rest}), train.outputs, reader)


def _find_at_once(context: Context, rows: TaskData) -> None:
    """Evaluate predicates over one copy of the rows; what comes after one that fails is evaluated later."""
    settings = context.project.curate
    asked = [where for signal in settings.signals for where in (signal.where, signal.among)]
    asked += [settings.fresh] if settings.fresh is not None else []
    asked += [*(entry.where for entry in context.project.slices), *settings.kinds.values()]
    named = tuple(Slice(name=f"p{place}", where=where, margin=1.0) for place, where in enumerate(asked))
    with suppress(SliceError):  # who asks for it is told
        slice_masks(rows, named)


def _find_slices(context: Context, rows: TaskData) -> tuple[dict[str, npt.NDArray[np.bool_]], dict[str, str]]:
    """Return the project's slices of all rows of a kind of traffic, and those that logs cannot tell."""
    asked = {slice_.name: slice_.where for slice_ in context.project.slices if slice_.where != "true"}
    if context.project.curate.fresh is not None:
        asked["fresh"] = context.project.curate.fresh
    found: dict[str, npt.NDArray[np.bool_]] = {}
    left_out: dict[str, str] = {}
    for name, where in asked.items():
        try:
            found[name] = select_rows(rows, where, f"slice '{name}'")
        except SliceError as error:
            left_out[name] = str(error)
    return found, left_out


def _answers(table: pa.Table) -> dict[str, npt.NDArray[np.bool_]]:
    if ANSWER not in table.column_names or not pa.types.is_string(table[ANSWER].type):
        return {}
    if len(pc.unique(table[ANSWER])) > _MOST_ANSWERS:
        return {}
    return share_by(table[ANSWER].to_pylist(), 0.0)


def _numbers(table: pa.Table, name: str, path: Path) -> npt.NDArray[np.float32]:
    try:
        found = table[name].cast(pa.float32() if not pa.types.is_boolean(table[name].type) else pa.int8())
        numbers = found.cast(pa.float32()).to_numpy()
    except pa.ArrowException:
        raise DataError(f"{path}: column '{name}' must hold numbers from 0 to 1") from None
    known = numbers[~np.isnan(numbers)]
    if len(known) and not (known.min() >= 0 and known.max() <= 1):
        raise DataError(
            f"{path}: column '{name}' must be from 0 to 1, got {known.min():g} to {known.max():g}"
        )
    return np.asarray(numbers, np.float32)


def _equal(one: pa.ChunkedArray, other: pa.ChunkedArray) -> npt.NDArray[np.float32]:
    equal = [
        np.nan if a is None or b is None else float(a == b)
        for a, b in zip(one.to_pylist(), other.to_pylist(), strict=True)
    ]
    return np.array(equal, np.float32)
