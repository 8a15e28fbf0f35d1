"""What the newest verdict says of an artifact, and what a person let go out against it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekd.errors import LedgerError
from edgekd.gate.entry import Decision, Details, LedgerEntry, Provenance
from edgekd.gate.history import find_place, read_history
from edgekd.gate.ledger import append_entry
from edgekd.gate.versions import SHORT
from edgekd.store import digest_json, locked, parse_json

_OF_VERDICTS = ("promote", "keep", "no promotion", "withdraw")


@dataclass(frozen=True)
class Standing:
    """The newest verdict that judged an artifact: its line of the ledger, the status and failed checks."""

    entry: LedgerEntry
    status: str
    failed: tuple[str, ...]

    @property
    def objection(self) -> str:
        """Why the artifact should not go out; empty if it may."""
        if self.status != "fail":
            return ""
        checks = ", ".join(self.failed)
        return f"the newest verdict that judged it (line {self.entry.sequence} of the ledger) fails {checks}"


def find_standing(registry: Path, project: str, target: str, artifact_digest: str) -> Standing | None:
    """Return what the newest verdict says of an artifact; None where none is known to have judged it.

    Raises:
        LedgerError: a verdict that the ledger names is missing or was changed.
    """
    place = find_place(registry, project, target)
    for entry in reversed(read_history(registry, project, target).entries):
        if entry.event not in _OF_VERDICTS:
            continue
        for judged in _read_verdict(place, entry)["variants"]:
            if judged["artifact_digest"] == artifact_digest:
                failed = tuple(check["name"] for check in judged["checks"] if check["status"] == "fail")
                return Standing(entry, judged["status"], failed)
    return None


def record_shipped(registry: Path, standing: Standing, artifact_digest: str, what: str) -> LedgerEntry:
    """Write down that a person let an artifact go out that the newest verdict fails."""
    of = standing.entry
    with locked(find_place(registry, of.project, of.target) / ".lock"):
        return append_entry(
            registry / "ledger.jsonl",
            Decision("shipped anyway", of.project, of.target, "", artifact_digest, of.verdict_digest),
            Provenance({}, of.data_digest, of.seed, of.environment),
            Details(shipped=what),
        )


def _read_verdict(place: Path, entry: LedgerEntry) -> Any:
    path = place / "verdicts" / f"{entry.verdict_digest[:SHORT]}.json"
    try:
        document = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise LedgerError(
            f"{path}: the verdict of line {entry.sequence} of the ledger is missing or unreadable; restore it"
        ) from None
    try:
        digest = digest_json(document)
    except ValueError:  # NaN, which JSON has not
        digest = ""
    if digest != entry.verdict_digest:
        raise LedgerError(f"{path}: the verdict was changed after it was kept; restore it")
    return document
