"""How old training rows are."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekd.data.taskdata import TaskData
from edgekd.errors import DataError, unknown_name


def ages_in_days(data: TaskData, column: str, today: date) -> npt.NDArray[np.int64]:
    """Return the age of each row [row] on a day, in whole days.

    The column holds dates, times, or their ISO 8601 text (2026-03-04, 2026-03-04T10:11:12Z).

    Raises:
        DataError: there is no such column, or a value is no date, or is of after that day.
    """
    if column not in data.table.column_names:
        raise DataError(f"data.columns.date: {unknown_name('column', column, data.table.column_names)}")
    values = data.table[column].to_pylist()
    days = [read_day(value, row, column) for value, row in zip(values, data.ids, strict=True)]
    if days and (newest := max(days)) > today:
        raise DataError(f"column {column}: {newest} is after today, {today}; correct the rows or the clock")
    return np.array([(today - day).days for day in days], np.int64)


def read_day(value: Any, row: str, column: str) -> date:
    """Return the day (of UTC) of a date, a time or their ISO 8601 text.

    Raises:
        DataError: it is none of these; `row` and `column` name its place.
    """
    found = value
    if isinstance(value, str):
        with suppress(ValueError):
            found = datetime.fromisoformat(value)
    if isinstance(found, datetime):
        return found.astimezone(UTC).date() if found.tzinfo else found.date()
    if isinstance(found, date):
        return found
    raise DataError(f"row {row}, column {column}: expected a date as 2026-03-04, got {value!r:.40}")
