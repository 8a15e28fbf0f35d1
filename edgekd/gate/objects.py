"""What ledger entries rest on, kept by content: raw samples, answers, records.

    registry/objects/<first 2 digits of its sha256>/<sha256>

Files are links to the run's own where the disk can, so they cost nothing there; a run that is measured
anew writes new files, and these stay.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from edgekd.errors import LedgerError
from edgekd.gate.entry import LedgerEntry
from edgekd.gate.versions import flush
from edgekd.store import digest_bytes, digest_file, write_atomic


def keep_objects(registry: Path, run: Path, evidence: Mapping[str, str]) -> None:
    """Keep a run's files, named relative to it, under their sha256; all are there when this returns."""
    folders = set()
    for name, digest in evidence.items():
        place = object_path(registry, digest)
        if place.exists():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        folders.add(place.parent)
        temporary = place.with_name(f".{digest}.{os.getpid()}.tmp")
        temporary.unlink(missing_ok=True)
        try:
            os.link(run / name, temporary)
        except OSError:
            shutil.copyfile(run / name, temporary)
        temporary.replace(place)
        temporary.unlink(missing_ok=True)  # a rename onto the same file leaves both names
    for folder in folders:
        flush(folder)


def keep_text(registry: Path, text: str) -> str:
    """Keep a text under its sha256, which is returned."""
    digest = digest_bytes(text.encode())
    place = object_path(registry, digest)
    if not place.exists():
        write_atomic(place, text)
        flush(place.parent)
    return digest


def object_path(registry: Path, digest: str) -> Path:
    """Return where a file of this sha256 is kept."""
    return registry / "objects" / digest[:2] / digest


def verify_objects(registry: Path, entries: Iterable[LedgerEntry]) -> int:
    """Check every file that an entry names, and return how many there are.

    Raises:
        LedgerError: naming the entry and the file that is missing or changed.
    """
    known: dict[str, bool] = {}
    for entry in entries:
        rows = {} if entry.harm is None else entry.harm.slices
        named = {f"test rows of {name}": digest for name, digest in rows.items() if digest}
        if entry.learned:
            named["texts it was made from"] = entry.learned
        for name, digest in {**entry.evidence, **named}.items():
            if digest in known:
                continue
            place = object_path(registry, digest)
            where = f"{registry / 'ledger.jsonl'}: line {entry.sequence}: {name}"
            if not place.is_file():
                raise LedgerError(f"{where}: {place} is missing; restore it")
            if digest_file(place) != digest:
                raise LedgerError(f"{where}: {place} was changed after it was kept; restore it")
            known[digest] = True
    return len(known)
