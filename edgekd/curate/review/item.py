"""A row that a person may look at, and what one said of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from edgekd.errors import DataError

_OWN = ("id", "text", "answer", "probability", "slice", "arrived", "cost", "reach", "gain")


@dataclass(frozen=True)
class Item:
    """A row to look at.

    Attributes:
        id: names the row.
        text: what a person reads.
        answer: what the model says of it.
        probability: how sure the model is, from 0 to 1.
        slice: the kind of row, empty where nobody says.
        arrived: when it came in; None where nobody knows.
        gain: what a review is expected to gain: the chance that the answer is wrong, times what a wrong
            answer costs, times how many rows are like it.
        columns: further columns of the row, which travel with it.
    """

    id: str
    text: str
    answer: str
    probability: float
    slice: str
    arrived: datetime | None
    gain: float
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Judgment:
    """What one rater says of one row.

    Attributes:
        row: id of the row.
        rater: who says it.
        answer: what is right.
        time: when, in UTC.
        seconds: how long the rater took; None where nobody knows.
    """

    row: str
    rater: str
    answer: str
    time: datetime
    seconds: float | None = None


def expect_gain(probability: float, cost: float = 1.0, reach: float = 1.0) -> float:
    """Return what the review of a row is expected to gain, in units of `cost`.

    >>> expect_gain(0.75, cost=4.0, reach=10.0)
    10.0
    """
    return (1.0 - probability) * cost * reach


def read_items(rows: Sequence[Mapping[str, Any]], source: str) -> list[Item]:
    """Read rows with `id`, `text` and `answer`; the other columns of an `Item` are optional.

    Where `gain` is not given, it is told from `probability`, `cost` and `reach` (how many rows are like it).

    Raises:
        DataError: naming the row and what is wrong with it.
    """
    items, seen = [], dict[str, int]()
    for number, row in enumerate(rows, start=1):
        where = f"{source}: row {number}"
        for name in ("id", "text", "answer"):
            if row.get(name) in (None, ""):
                raise DataError(f"{where}: '{name}' is empty; each row to review needs id, text and answer")
        name = str(row["id"])
        if (first := seen.setdefault(name, number)) != number:
            raise DataError(f"{where}: has the id of row {first}, {name!r:.60}; give each row its own")
        probability = _read_number(row, "probability", 0.0, where, most=1.0)
        cost, reach = (_read_number(row, part, 1.0, where) for part in ("cost", "reach"))
        gain = _read_number(row, "gain", expect_gain(probability, cost, reach), where)
        arrived = row.get("arrived")
        items.append(
            Item(
                id=name,
                text=str(row["text"]),
                answer=str(row["answer"]),
                probability=probability,
                slice=str(row.get("slice") or ""),
                arrived=None if arrived in (None, "") else read_time(arrived, f"{where}: arrived"),
                gain=gain,
                columns={
                    key: str(value) for key, value in row.items() if key not in _OWN and value is not None
                },
            )
        )
    return items


def read_time(value: Any, where: str) -> datetime:
    """Read a date or an ISO 8601 time; without a zone it is in UTC.

    Raises:
        DataError: it is neither.

    >>> read_time("2026-03-01T12:00:00+02:00", "").isoformat()
    '2026-03-01T10:00:00+00:00'
    """
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise DataError(f"{where}: expected a date or an ISO 8601 time, got {value!r:.60}") from None


def write_time(time: datetime) -> str:
    """Write a time in UTC as ISO 8601; what `read_time` reads is the same time.

    >>> write_time(datetime(2026, 3, 1, tzinfo=UTC))
    '2026-03-01T00:00:00Z'
    """
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _read_number(
    row: Mapping[str, Any], name: str, absent: float, where: str, most: float = math.inf
) -> float:
    value = row.get(name)
    if value in (None, ""):
        return absent
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not 0 <= found <= most or math.isinf(found):
        limit = "" if math.isinf(most) else f" to {most:g}"
        raise DataError(f"{where}: '{name}' must be a number from 0{limit}, got {value!r:.40}")
    return found
