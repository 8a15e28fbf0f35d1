"""Read one file of rows: CSV, JSON lines (gzip too) or Parquet."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from edgekd.data.columns import find_disagreeing, list_values, make_table
from edgekd.data.json_lines import parse_lines
from edgekd.errors import DataError

_MOST_BYTES = 4 << 30
"""Of one text file, unpacked: rows are read into memory, and take several times as much there."""
_MOST_ROWS = 100_000_000
FORMATS = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".parquet")


def require_file(path: Path) -> None:
    """Refuse a path at which no file lies."""
    if not path.is_file():
        raise DataError(f"{path}: no such file; check the path (those in a project file start where it lies)")


def read_table(path: Path, text_columns: tuple[str, ...] = ()) -> pa.Table:
    """Read a file's rows; `text_columns` are read as text whatever they look like.

    Raises:
        DataError: if there is no such file, it is empty, not UTF-8, or not of its format.
    """
    suffix = _check(path)
    if suffix.startswith(".jsonl"):
        return make_table(_read_lines(path))
    return _read_typed(path, suffix, text_columns)


def read_rows(
    paths: Mapping[str, Path], text_columns: tuple[str, ...] = ()
) -> dict[str, list[dict[str, Any]]]:
    """Read the rows of several files, by their names.

    Values of JSON lines are as they stand there. Elsewhere a column has one type over all files: where types
    differ, all its values are read as text, as a postcode is that looks like a number in one file alone.

    Raises:
        DataError: as of `read_table`.
    """
    suffixes = {name: _check(path) for name, path in paths.items()}
    lines = {name: _read_lines(path) for name, path in paths.items() if suffixes[name].startswith(".jsonl")}
    tables = {
        name: _read_typed(path, suffixes[name], text_columns)
        for name, path in paths.items()
        if name not in lines
    }
    if as_text := find_disagreeing(tables.values()):
        tables = {
            name: _cast(
                paths[name], _read_typed(paths[name], suffixes[name], (*text_columns, *as_text)), as_text
            )
            for name in tables
        }
    return {
        name: lines[name] if name in lines else list_values(tables[name], str(path))
        for name, path in paths.items()
    }


def _check(path: Path) -> str:
    """Return a file's format, by the end of its name."""
    suffix = "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix
    require_file(path)
    if suffix not in FORMATS:
        raise DataError(f"{path}: format '{suffix}' is not known; expected one of {', '.join(FORMATS)}")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: is empty; expected rows")
    return suffix


def _read_typed(path: Path, suffix: str, text_columns: tuple[str, ...]) -> pa.Table:
    if suffix == ".parquet":
        table = _read_parquet(path)
    else:
        table = _read_csv(path, read_text(path).encode(), text_columns)
    if table.num_rows == 0:
        raise DataError(f"{path}: holds no rows")
    return table


def _cast(path: Path, table: pa.Table, names: tuple[str, ...]) -> pa.Table:
    """Turn columns of a file that has types of its own into text."""
    for name in names:
        place = table.schema.get_field_index(name)
        if place < 0 or pa.types.is_string(table.schema.field(place).type):
            continue
        try:
            table = table.set_column(place, name, table[name].cast(pa.string()))
        except pa.ArrowException:
            kind = table.schema.field(place).type
            raise DataError(
                f"{path}: column '{name:.60}' is of type {kind}, and of another in another file; "
                "write both alike"
            ) from None
    return table


def _read_parquet(path: Path) -> pa.Table:
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            rows = file.metadata.num_rows
            if rows > _MOST_ROWS:
                raise DataError(f"{path}: says that it holds {rows:,} rows; expected at most {_MOST_ROWS:,}")
        table = pyarrow.parquet.read_table(path)
        _ = table.column_names  # which may be no text
        return table
    except (pa.ArrowException, OSError, ValueError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: is not Parquet: {_one_line(error)}") from None


def read_text(path: Path) -> str:
    """Read a whole text file in UTF-8, also one ending in .gz.

    Raises:
        DataError: if there is no such file, it is empty, not UTF-8, or cannot be unpacked.
    """
    require_file(path)
    try:
        data = _unpack(path) if path.suffix == ".gz" else path.read_bytes()
        if len(data) > _MOST_BYTES:
            raise DataError(
                f"{path}: holds more than {_MOST_BYTES >> 30} GiB of text; split it, or use Parquet"
            )
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


def _unpack(path: Path) -> bytes:
    """Return what a packed file holds, or its beginning where that is more than any file may have."""
    parts, size = [], 0
    with gzip.open(path) as file:
        while size <= _MOST_BYTES and (part := file.read(1 << 24)):
            parts.append(part)
            size += len(part)
    return b"".join(parts)


def _read_lines(path: Path) -> list[dict[str, Any]]:
    return parse_lines(path, read_text(path))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
