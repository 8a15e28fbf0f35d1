"""What was promoted when, on which evidence: JSON lines, each chained to the one before by its digest.

A line is the canonical JSON of its entry (sorted keys, no spaces) with `digest`, the sha256 of the
rest; `previous` is the digest of the line before. So one changed byte breaks its own line, and a
line changed with its digest breaks the next. A chain alone cannot tell that its last whole lines
were cut off: keep the newest digest elsewhere where that matters.

An entry counts once `append_entry` has returned: it is one write and an fsync, under the file's
lock. A kill in between can leave the beginning of a line, which nobody acted upon; readers pass
over it, and the next append takes it away. A last line that lacks only its line end is kept.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from edgekd.errors import BadInputError, LedgerError, naming
from edgekd.gate.entry import NO_DETAILS, Decision, Details, Event, LedgerEntry, Provenance
from edgekd.gate.versions import flush
from edgekd.store import digest_json, locked, parse_json

__all__ = [
    "Decision",
    "Details",
    "Event",
    "LedgerEntry",
    "Provenance",
    "append_entry",
    "read_ledger",
    "repair_ledger",
    "verify_ledger",
]

_START = "0" * 64


def append_entry(
    path: Path, decision: Decision, provenance: Provenance, details: Details = NO_DETAILS
) -> LedgerEntry:
    """Append one entry; when this returns it is on the disk.

    Raises:
        LedgerError: if the chain does not hold: nothing is added to a broken ledger.
    """
    with locked(path):
        entries = _repair(path)
        values: dict[str, Any] = {
            "sequence": len(entries) + 1,
            "time_utc": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "previous": entries[-1].digest if entries else _START,
            **asdict(decision),
            "evidence": dict(provenance.evidence),
            "data_digest": provenance.data_digest,
            "seed": provenance.seed,
            "environment": provenance.environment,
            **details.to_json(),
        }
        entry = LedgerEntry.from_json({**values, "digest": digest_json(values)})
        with naming(path), path.open("ab") as file:
            file.write(_line(entry))
            _flush(file)
        if len(entries) == 0:
            flush(path.parent)
    return entry


def read_ledger(path: Path) -> tuple[LedgerEntry, ...]:
    """Read all whole entries and check the chain; a missing file has none.

    Raises:
        LedgerError: naming the line at which the chain does not hold.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return ()
    return _parse(path, data)[0]


def verify_ledger(path: Path) -> int:
    """Check every line and return how many there are.

    Raises:
        LedgerError: naming the line, also where the last one was cut short by a kill.
    """
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            data = file.read()
    except OSError as error:
        raise LedgerError(f"{path}: cannot be read ({error.strerror}); give the path of a ledger") from None
    entries, whole = _parse(path, data)
    if data and not data.endswith(b"\n"):
        number = len(entries) + (whole != len(data))
        raise LedgerError(
            f"{path}: line {number}: is cut short, as by a kill while it was written; "
            "nothing rests on it, and the next promotion repairs it"
        )
    return len(entries)


def repair_ledger(path: Path) -> bool:
    """Take away the beginning of a line that a kill left; says whether there was one."""
    if not path.exists():
        return False
    with locked(path):
        before = path.stat().st_size
        _repair(path)
        return path.stat().st_size != before


def _repair(path: Path) -> tuple[LedgerEntry, ...]:
    data = path.read_bytes()
    entries, whole = _parse(path, data)
    complete = whole == len(data) and data and not data.endswith(b"\n")
    if whole == len(data) and not complete:
        return entries
    with path.open("r+b") as file:
        file.truncate(whole)
        if complete:
            file.seek(0, os.SEEK_END)
            file.write(b"\n")
        _flush(file)
    return entries


def _parse(path: Path, data: bytes) -> tuple[tuple[LedgerEntry, ...], int]:
    """Return the entries and how many bytes they take; what is left is the beginning of a line."""
    entries: list[LedgerEntry] = []
    whole = 0
    for line in io.BytesIO(data):  # ends lines at \n alone, where bytes.splitlines() ends them at \r too
        if not line.endswith(b"\n") and _is_torn(line):
            break
        entries.append(_read_line(path, line, entries))
        whole += len(line)
    return tuple(entries), whole


def _is_torn(line: bytes) -> bool:
    """Tell a line's mere beginning, which a kill leaves, from a whole line that was changed."""
    try:
        json.JSONDecoder().raw_decode(line.decode("utf-8", errors="replace"))
    except ValueError:
        return True
    except RecursionError:
        return False
    return False


def _read_line(path: Path, line: bytes, before: list[LedgerEntry]) -> LedgerEntry:
    number = len(before) + 1
    try:
        document = parse_json(line)
        entry = LedgerEntry.from_json(document)
    except (ValueError, BadInputError) as error:
        raise LedgerError(f"{path}: line {number}: is not an entry ({error}); restore it") from None
    rest = {key: value for key, value in document.items() if key != "digest"}
    try:
        digest = digest_json(rest)
    except ValueError as error:  # NaN, which JSON has not
        raise LedgerError(f"{path}: line {number}: is not an entry ({error}); restore it") from None
    if digest != entry.digest or _line(entry).rstrip(b"\n") != line.rstrip(b"\n"):
        raise LedgerError(f"{path}: line {number}: was changed after it was written; restore it")
    if entry.previous != (before[-1].digest if before else _START) or entry.sequence != number:
        raise LedgerError(
            f"{path}: line {number}: does not follow the line before it; "
            "a line was changed, removed or added; restore the file"
        )
    return entry


def _line(entry: LedgerEntry) -> bytes:
    return json.dumps(entry.to_json(), sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
