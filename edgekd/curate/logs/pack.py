"""Pack a service's log into Parquet, a file for each day, and remove what was packed."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from edgekd.curate.logs.read import PACKED, list_days, list_packed, read_segment
from edgekd.errors import naming
from edgekd.store import digest_json, locked

_RESTING = 60.0
"""Seconds for which nothing was written to a file that may be packed: a service may still have it open."""


@dataclass(frozen=True)
class Packed:
    """What was packed: files and rows, and how many bytes they took before and take now."""

    files: int
    rows: int
    bytes_before: int
    bytes_now: int


def pack_log(folder: Path, now: float | None = None) -> Packed:
    """Pack the days of a log; files of the last minute are left as they are.

    Killed at any moment it loses nothing and doubles nothing: a Parquet file names the files that it holds,
    and these are passed over until they are removed. `now` is in seconds since 1970.

    Raises:
        DataError: if the folder is no log, or a file of it is damaged.
    """
    until = (time.time() if now is None else now) - _RESTING
    days = list_days(folder).values()
    with locked(folder / ".lock"):  # of two that pack at once the second finds little left
        return _pack(days, until)


def _pack(days: Iterable[Path], until: float) -> Packed:
    files = rows = before = after = 0
    for day in days:
        for path in day.glob("*.partial"):
            path.unlink()
        done = {name for path in day.glob("*.parquet") for name in list_packed(path)}
        for path in day.glob("*.jsonl"):
            if path.name in done:
                path.unlink()  # a pack that was killed had come as far as this
        segments = sorted(path for path in day.glob("*.jsonl") if path.stat().st_mtime <= until)
        tables = [table for table in map(read_segment, segments) if table.num_rows]
        if not tables:
            continue
        whole = pa.concat_tables(tables, promote_options="permissive")
        names = [path.name for path in segments]
        whole = whole.replace_schema_metadata({PACKED: "\n".join(names).encode()})
        target = day / f"packed-{digest_json(names)[:16]}.parquet"
        partial = target.with_suffix(".partial")
        with naming(target):
            pq.write_table(whole, partial, compression="zstd")
            partial.replace(target)
        files, rows = files + len(segments), rows + whole.num_rows
        before, after = before + sum(path.stat().st_size for path in segments), after + target.stat().st_size
        for path in segments:
            path.unlink()
    return Packed(files, rows, before, after)
