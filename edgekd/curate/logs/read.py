"""Read what a service logged: JSON lines as they were written, and Parquet as they were packed."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import json as arrow_json

from edgekd.errors import DataError

PACKED = b"edgekd.segments"
"""Key of a Parquet file's metadata: names of the files that were packed into it."""
_BLOCK = 8 << 20  # bytes of JSON that are parsed at once
_SCHEMA = pa.schema(
    [
        ("event", pa.string()),
        ("version", pa.int64()),
        ("time", pa.float64()),
        ("mode", pa.string()),
        ("request", pa.string()),
        ("model", pa.string()),
        ("milliseconds", pa.float64()),
        ("slices", pa.list_(pa.string())),
        ("user", pa.string()),
        ("label", pa.string()),
        ("labels", pa.list_(pa.string())),
        ("probability", pa.float64()),
        ("margin", pa.float64()),
        ("score", pa.float64()),
        ("action", pa.string()),
        ("reason", pa.string()),
        ("candidates", pa.int64()),
        ("order", pa.list_(pa.int64())),
        ("scores", pa.list_(pa.float64())),
        ("tokens", pa.list_(pa.string())),
        ("text", pa.string()),
    ]
)
"""Columns that have a type of their own; attributes are text, probabilities a struct of numbers."""


@dataclass(frozen=True)
class Piece:
    """One file of a day.

    Attributes:
        path: Of the file.
        day: As its folder says it, `2026-11-30`.
        table: Its rows; a last line without an end, which a killed service leaves, is not one.
    """

    path: Path
    day: str
    table: pa.Table


def list_days(folder: Path) -> dict[date, Path]:
    """Return the folders of a log by their days, the first one first.

    Raises:
        DataError: if the folder is no log, or one of its folders names no day.
    """
    found = {}
    for path in sorted(path for path in folder.glob("day=*") if path.is_dir()):
        try:
            found[date.fromisoformat(path.name.removeprefix("day="))] = path
        except ValueError:
            raise DataError(f"{path}: names no day; expected day=YYYY-MM-DD") from None
    if not found:
        raise DataError(
            f"{folder}: is no log of a service: it has no folder day=...; give its hot/ or audit/ folder"
        )
    return found


def read_log(
    folder: Path, columns: Iterable[str] | None = None, since: date | None = None
) -> Iterator[Piece]:
    """Read a log (`hot/` or `audit/`) file by file, day by day.

    `columns` are all by default, and days are all, or those from `since` on.

    Raises:
        DataError: if the folder is no log, or a file of it is damaged.
    """
    wanted = None if columns is None else tuple(columns)
    for of, day in list_days(folder).items():
        if since is not None and of < since:
            continue
        packed = sorted(day.glob("*.parquet"))
        known = {name for path in packed for name in list_packed(path)}
        name = of.isoformat()
        for path in packed:
            yield Piece(path, name, _only(_read_packed(path), wanted))
        for path in sorted(day.glob("*.jsonl")):
            if path.name not in known and path.stat().st_size:
                yield Piece(path, name, _only(read_segment(path), wanted))


def read_segment(path: Path) -> pa.Table:
    """Read a file of JSON lines as it was written.

    Raises:
        DataError: if a line is no JSON object.
    """
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if not whole:
        return pa.table({})
    try:
        return arrow_json.read_json(
            io.BytesIO(whole),
            read_options=arrow_json.ReadOptions(block_size=_BLOCK),
            parse_options=arrow_json.ParseOptions(explicit_schema=_SCHEMA, unexpected_field_behavior="infer"),
        )
    except pa.ArrowException as error:
        words = " ".join(str(error).split())[:160]
        raise DataError(f"{path}: is damaged: {words}; move it away") from None


def list_packed(path: Path) -> list[str]:
    """Name the files of JSON lines that a Parquet file holds."""
    try:
        found: bytes = (pq.read_schema(path).metadata or {}).get(PACKED, b"")
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: is not Parquet: {' '.join(str(error).split())[:160]}") from None
    return found.decode().split("\n") if found else []


def _read_packed(path: Path) -> pa.Table:
    try:
        return pq.read_table(path, partitioning=None)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: is not Parquet: {' '.join(str(error).split())[:160]}") from None


def _only(table: pa.Table, columns: tuple[str, ...] | None) -> pa.Table:
    if columns is None:
        return table
    none = pa.nulls(table.num_rows)
    return pa.table(
        {name: table[name] if name in table.column_names else none for name in columns},
    )
