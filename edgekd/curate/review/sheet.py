"""Rows to review as a sheet of plain CSV that a person fills in, and the judgments that it then holds."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from edgekd.curate.review.item import Item, Judgment, read_time, write_time
from edgekd.curate.review.queue import Queue
from edgekd.errors import DataError

ITEM_COLUMNS = ("id", "text", "answer", "probability", "slice", "arrived", "gain")
JUDGMENT_COLUMNS = ("rater", "judgment", "time", "seconds")
_MOST_FIELD = 1 << 24


def write_sheet(queue: Queue) -> str:
    """Return a queue as CSV, a line for each judgment that it asks for; raters fill in the last columns.

    Of a row that two raters look at there are two lines.

    Raises:
        DataError: the rows have a column of that name.
    """
    further = sorted({name for item in queue.items for name in item.columns})
    if taken := [name for name in further if name in JUDGMENT_COLUMNS]:
        raise DataError(f"the rows have a column '{taken[0]}', which raters fill in; rename it")
    lines = [
        {**describe_item(item), **{name: item.columns.get(name, "") for name in further}}
        for item, copies in zip(queue.items, queue.copies, strict=True)
        for _ in range(copies)
    ]
    return _write((*ITEM_COLUMNS, *further, *JUDGMENT_COLUMNS), lines)


def describe_item(item: Item) -> dict[str, str]:
    """Return an item's own columns as text."""
    return {
        "id": item.id,
        "text": item.text,
        "answer": item.answer,
        "probability": repr(item.probability),
        "slice": item.slice,
        "arrived": "" if item.arrived is None else write_time(item.arrived),
        "gain": repr(item.gain),
    }


def write_judgments(judgments: Sequence[Judgment]) -> str:
    """Return judgments as CSV with the columns `id` and `JUDGMENT_COLUMNS`."""
    lines = [
        {
            "id": one.row,
            "rater": one.rater,
            "judgment": one.answer,
            "time": write_time(one.time),
            "seconds": "" if one.seconds is None else repr(one.seconds),
        }
        for one in judgments
    ]
    return _write(("id", *JUDGMENT_COLUMNS), lines)


def read_sheet(path: Path, at: datetime) -> list[Judgment]:
    """Read the judgments of a sheet; lines without one are rows that nobody has looked at yet.

    A judgment without a time is taken as of `at`.

    Raises:
        DataError: naming the line, where a judgment has no row or no rater.
    """
    return [_judge(row, f"{path}: line {number}", at) for number, row in _lines(path) if row["judgment"]]


def _judge(row: Mapping[str, str], where: str, at: datetime) -> Judgment:
    for name in ("id", "rater"):
        if not row[name]:
            raise DataError(f"{where}: has a judgment but no {name}; fill it in")
    seconds = row.get("seconds") or None
    try:
        took = None if seconds is None else float(seconds)
        if took is not None and not 0 <= took < float("inf"):
            raise ValueError
    except ValueError:
        raise DataError(f"{where}: seconds: expected a number, got {seconds!r:.40}") from None
    time = read_time(row["time"], f"{where}: time") if row.get("time") else at
    return Judgment(row["id"], row["rater"], row["judgment"], time, took)


def _lines(path: Path) -> Iterable[tuple[int, dict[str, str]]]:
    """Yield each line of a CSV file with its number; the byte order mark of spreadsheets is skipped."""
    try:
        text = path.read_bytes().removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); give a CSV file") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 at byte {error.start}; save it as UTF-8") from None
    first = text.split("\n", 1)[0]
    delimiter = (
        ";" if ";" in first and "," not in first else ","
    )  # as spreadsheets write it in some languages
    csv.field_size_limit(_MOST_FIELD)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        names = reader.fieldnames or ()
        if missing := [name for name in ("id", "rater", "judgment") if name not in names]:
            raise DataError(f"{path}: has no column '{missing[0]}'; found: {', '.join(names) or 'nothing'}")
        for row in reader:
            if None in row or None in row.values():
                raise DataError(
                    f"{path}: line {reader.line_num}: has another number of columns than the first line; "
                    "quote what holds the delimiter"
                )
            yield reader.line_num, row
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num}: is not CSV: {error}") from None


def _write(columns: Sequence[str], lines: Iterable[Mapping[str, Any]]) -> str:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, columns, restval="")
    writer.writeheader()
    writer.writerows(lines)
    return file.getvalue()
