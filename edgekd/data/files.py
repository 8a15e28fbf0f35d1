"""Read one file of rows: CSV, JSON lines (gzip too) or Parquet."""

from __future__ import annotations

import gzip
import io
import json
import math
import zlib
from pathlib import Path
from typing import Any

import pyarrow as pa

from edgekd.errors import DataError

FORMATS = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".parquet")


def require_file(path: Path) -> None:
    """Refuse a path at which no file lies."""
    if not path.is_file():
        raise DataError(f"{path}: no such file; check data.source (relative to the project file)")


def read_table(path: Path, text_columns: tuple[str, ...] = ()) -> pa.Table:
    """Read a file's rows; `text_columns` are read as text whatever they look like.

    Raises:
        DataError: if there is no such file, it is empty, not UTF-8, or not of its format.
    """
    suffix = "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix
    require_file(path)
    if suffix not in FORMATS:
        raise DataError(f"{path}: format '{suffix}' is not known; expected one of {', '.join(FORMATS)}")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: is empty; expected rows")
    table = _read_parquet(path) if suffix == ".parquet" else _read_rows(path, suffix, text_columns)
    if table.num_rows == 0:
        raise DataError(f"{path}: holds no rows")
    return table


def _read_parquet(path: Path) -> pa.Table:
    import pyarrow.parquet

    try:
        return pyarrow.parquet.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: is not Parquet: {_one_line(error)}") from None


def read_text(path: Path) -> str:
    """Read a whole text file in UTF-8, also one ending in .gz.

    Raises:
        DataError: if there is no such file, it is empty, not UTF-8, or cannot be unpacked.
    """
    require_file(path)
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {_one_line(error)}") from None
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(f"{path}: line {line}: is not UTF-8; save the file as UTF-8") from None
    if not text.strip():
        raise DataError(f"{path}: is empty; expected rows")
    return text


def _read_rows(path: Path, suffix: str, text_columns: tuple[str, ...]) -> pa.Table:
    text = read_text(path)
    return (
        _read_csv(path, text.encode(), text_columns) if suffix.startswith(".csv") else _read_lines(path, text)
    )


def _read_csv(path: Path, data: bytes, text_columns: tuple[str, ...]) -> pa.Table:
    from pyarrow import csv

    try:
        return csv.read_csv(
            io.BytesIO(data),
            read_options=csv.ReadOptions(use_threads=False),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types={name: pa.string() for name in text_columns}, strings_can_be_null=False
            ),
        )
    except pa.ArrowException as error:
        raise DataError(f"{path}: is not CSV: {_one_line(error)}") from None


def _read_lines(path: Path, text: str) -> pa.Table:
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"{path}: line {number}: is not JSON: {_one_line(error)}") from None
        if not isinstance(row, dict):
            raise DataError(f"{path}: line {number}: expected an object, got {type(row).__name__}")
        rows.append(row)
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {}
    for name in names:
        values = [row.get(name) for row in rows]
        try:
            columns[name] = pa.array(values)
        except pa.ArrowException:
            columns[name] = pa.array([_as_text(value) for value in values])
    return pa.table(columns)


def _as_text(value: Any) -> str | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return value if isinstance(value, str) else json.dumps(value)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
