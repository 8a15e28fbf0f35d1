from datetime import UTC, date, datetime, timedelta, timezone

import pyarrow as pa
import pytest

from edgekd.data.age import ages_in_days
from edgekd.data.taskdata import TaskData
from edgekd.errors import DataError

TODAY = date(2026, 3, 10)


def table(values):
    n = len(values)
    names = [f"r{i}" for i in range(n)]
    return TaskData(
        pa.table({"id": names, "text": names, "label": ["a"] * n, "split": ["train"] * n, "when": values}),
        ("a",),
    )


@pytest.mark.parametrize(
    "values",
    [
        ["2026-03-10", "2026-03-01", "2025-03-10"],
        ["2026-03-10T23:59:00Z", "2026-03-01T00:00:00", "2025-03-10 12:00"],
        [TODAY, date(2026, 3, 1), date(2025, 3, 10)],
        [datetime(2026, 3, 10), datetime(2026, 3, 1, 23), datetime(2025, 3, 10)],
    ],
)
def test_dates_as_they_come(values):
    assert ages_in_days(table(values), "when", TODAY).tolist() == [0, 9, 365]


def test_a_time_counts_on_its_day_in_utc():
    late = datetime(2026, 3, 9, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    assert ages_in_days(table([late, late.astimezone(UTC)]), "when", TODAY).tolist() == [0, 0]
    assert ages_in_days(table(["2026-03-09T23:30:00-05:00"]), "when", TODAY).tolist() == [0]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["2026-03-01", "yesterday"], "row r1, column when: expected a date as 2026-03-04, got 'yesterday'"),
        (["2026-03-01", None], "row r1, column when: expected a date as 2026-03-04, got None"),
        ([20260301], "got 20260301"),
        (["2026-03-11"], "2026-03-11 is after today, 2026-03-10"),
    ],
)
def test_what_is_no_date_is_named(values, words):
    with pytest.raises(DataError, match=words):
        ages_in_days(table(values), "when", TODAY)


def test_a_missing_column_is_named():
    with pytest.raises(DataError, match=r"data\.columns\.date: unknown column 'wen' \(did you mean 'when'"):
        ages_in_days(table(["2026-03-01"]), "wen", TODAY)
