"""What is promoted for a target now, and completing what a killed call had decided."""

from __future__ import annotations

from pathlib import Path

from edgekd.errors import LedgerError
from edgekd.gate.history import History, find_place, read_history
from edgekd.gate.ledger import repair_ledger
from edgekd.gate.versions import (
    SHORT,
    clear_leftovers,
    point_at,
    point_nowhere,
    pointed_version,
    require_version,
)
from edgekd.store import locked


def current(registry: Path, project: str, target: str) -> tuple[str, Path] | None:
    """Return the digest and folder that the target's pointer names; None if nothing is promoted.

    Reads only. After a kill between the ledger and the pointer this is still the version before,
    until the next promote, rollback or settle.

    Raises:
        LedgerError: if the pointer names what the ledger never promoted.
    """
    place = find_place(registry, project, target)
    short = pointed_version(place)
    if short is None:
        return None
    entries = read_history(registry, project, target).entries
    digests = {entry.artifact_digest for entry in entries}
    found = next((digest for digest in digests if digest[:SHORT] == short), None)
    if found is None:
        raise LedgerError(f"{place / 'current'}: names {short}, which the ledger never promoted; restore it")
    return found, place / "versions" / short


def settle(registry: Path, project: str, target: str) -> bool:
    """Complete what a killed call had decided; says whether the pointer had to be moved."""
    place = find_place(registry, project, target)
    with locked(place / ".lock"):
        before = pointed_version(place)
        settle_locked(registry, project, target)
        return pointed_version(place) != before


def settle_locked(registry: Path, project: str, target: str) -> History:
    """Clear what a kill left behind and let the pointer follow the ledger; the caller holds the lock."""
    place = find_place(registry, project, target)
    clear_leftovers(place)
    repair_ledger(registry / "ledger.jsonl")
    history = read_history(registry, project, target)
    pointed = pointed_version(place)
    if history.current is None:
        if pointed is not None and history.head is None:
            raise LedgerError(
                f"{place / 'current'}: names {pointed}, but the ledger has no line of {project}/{target}; "
                "restore the ledger"
            )
        point_nowhere(place)
    elif pointed != history.current[:SHORT]:
        require_version(place, history.current)
        point_at(place, history.current)
    return history
