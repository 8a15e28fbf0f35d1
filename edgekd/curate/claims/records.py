"""Records that claims are held against, and the rows that find theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from edgekd.config.claims import Records
from edgekd.data.files import read_table
from edgekd.errors import ConfigError, DataError, unknown_name
from edgekd.store import digest_file

_MISSING = "there is no such file"
_ALONE = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}


@dataclass(frozen=True)
class OpenRecords:
    """A table of records and the place of each by its name, as text."""

    name: str
    table: pa.Table
    places: dict[str, int]
    row: str

    def match(self, values: Sequence[Any]) -> pa.Array:
        """Return the record that each value names as a struct, null where there is none, shape [value].

        Raises:
            DataError: no value at all names a record, as where one side has another form.
        """
        wanted = [
            self.places.get(name, -1) if (name := name_of(value)) is not None else -1 for value in values
        ]
        found = np.array(wanted, np.int64)
        named = [name for value in values if (name := name_of(value)) is not None]
        if named and (found < 0).all():
            known = next(iter(self.places))
            raise DataError(
                f"claims.records.{self.name}: none of {len(named):,} rows names a record: their '{self.row}' "
                f"is as {named[0]!r:.60}, and records are called as {known!r:.60}; write both alike"
            )
        fields = [self.table[name].combine_chunks() for name in self.table.column_names]
        places = pa.array(np.where(found < 0, 0, found), mask=found < 0)
        taken = [field.take(places) for field in fields]
        return pa.StructArray.from_arrays(taken, names=self.table.column_names, mask=pa.array(found < 0))


def open_records(name: str, settings: Records, folder: Path) -> OpenRecords:
    """Read records; `folder` is what a relative path is relative to.

    Raises:
        DataError: there is no such file, table or column, or two records have one name.
    """
    path = folder / settings.source
    place = f"claims.records.{name}"
    if _is_reserved(name):
        raise ConfigError(
            f"{place}: '{name}' is a word of SQL, so that no rule can name it; rename the records"
        )
    if not path.is_file():
        raise DataError(f"{place}: {path}: {_MISSING}; give a file of records")
    table = _read_database(path, settings, place) if settings.is_database else read_table(path)
    if settings.key not in table.column_names:
        known = unknown_name("column", settings.key, table.column_names)
        raise ConfigError(f"{place}.key: {path}: {known}")
    places: dict[str, int] = {}
    for number, value in enumerate(table[settings.key].to_pylist()):
        key = name_of(value)
        if key is None:
            raise DataError(f"{path}: record {number + 1}: column '{settings.key}' is empty; name the record")
        if key in places:
            raise DataError(
                f"{path}: records {places[key] + 1} and {number + 1} are both called {key!r:.60} in column "
                f"'{settings.key}'; a claim would have two answers; leave one out"
            )
        places[key] = number
    if not places:
        raise DataError(f"{path}: holds no records")
    return OpenRecords(name, table, places, settings.row)


def digest_records(settings: Records, folder: Path) -> str:
    """Digest the file of records, for what is kept of their verdicts.

    Raises:
        DataError: there is no such file.
    """
    path = folder / settings.source
    if not path.is_file():
        raise DataError(f"claims.records: {path}: {_MISSING}; give a file of records")
    return digest_file(path)


def _read_database(path: Path, settings: Records, place: str) -> pa.Table:
    import duckdb

    try:
        connection = duckdb.connect(str(path), read_only=True, config={**_ALONE})
    except duckdb.Error as error:
        words = " ".join(str(error).split())[:160]
        raise DataError(f"{place}: {path}: is no DuckDB database that can be read: {words}") from None
    with connection:
        known = [
            str(row[0]) for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        ]
        known += [
            str(row[0])
            for row in connection.execute(
                "SELECT view_name FROM duckdb_views() WHERE NOT internal"
            ).fetchall()
        ]
        if settings.table not in known:
            raise ConfigError(f"{place}.table: {path}: {unknown_name('table', str(settings.table), known)}")
        quoted = str(settings.table).replace('"', '""')
        return connection.sql(f'SELECT * FROM "{quoted}"').to_arrow_table()


@cache
def _is_reserved(name: str) -> bool:
    import duckdb

    asked = "SELECT count(*) FROM duckdb_keywords() WHERE keyword_name = ? AND keyword_category = 'reserved'"
    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        (count,) = connection.execute(asked, [name]).fetchall()[0]
    return bool(count)


def name_of(value: Any) -> str | None:
    """Return what names a record, as text: 12, 12.0 and "12" are one name, as file formats type numbers.

    >>> name_of(12.0), name_of("12"), name_of(float("nan"))
    ('12', '12', None)
    """
    if value is None or value != value or value == "":
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
