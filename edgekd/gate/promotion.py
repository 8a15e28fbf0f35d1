"""Promote an artifact for a target, and go back.

    registry/ledger.jsonl
    registry/<project>/<target>/versions/<first 12 digits of the digest>/   a whole copy
    registry/<project>/<target>/current -> versions/<...>                   switched by one rename

Order of writing, under a lock of that project and target:

1. the copy: into a temporary folder, flushed, then renamed; so a version is whole or not there;
2. the ledger's entry: from here on the promotion is decided;
3. the pointer: a temporary link, renamed over `current`.

A kill before 2 leaves what was promoted before (and perhaps a copy that nobody points at). A kill
between 2 and 3 leaves `current` at the version before, which is whole; the next call under the lock
sees that the ledger is ahead and moves the pointer first (`settle`). Nothing is decided twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekd.errors import BadInputError, LedgerError
from edgekd.gate.ledger import LedgerEntry, Provenance, append_entry, read_ledger, repair_ledger
from edgekd.gate.verdict import GateVerdict
from edgekd.gate.versions import (
    SHORT,
    add_version,
    clear_leftovers,
    point_at,
    pointed_version,
    require_version,
    version_folder,
)
from edgekd.store import locked

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Promotion:
    """What is promoted for a target after a call; `changed` says whether the call changed it."""

    project: str
    target: str
    variant: str
    artifact_digest: str
    path: Path
    entry: LedgerEntry
    changed: bool


def promote(
    registry: Path,
    project: str,
    target: str,
    artifact_folder: Path,
    artifact_digest: str,
    verdict: GateVerdict,
    provenance: Provenance,
    digest_of: Callable[[Path], str] | None = None,
) -> Promotion:
    """Make an artifact the promoted one; if it is already, nothing is written.

    `digest_of` gives an artifact folder's digest after checking its files: the copy is checked by
    it before anything points there.

    Raises:
        BadInputError: if the verdict does not promote this artifact for this target.
        ArtifactError: if the folder is missing, holds a link, or its copy has another digest.
        LedgerError: if the ledger's chain does not hold.
    """
    if verdict.target != target or verdict.promoted is None or verdict.promoted_digest != artifact_digest:
        raise BadInputError(
            f"target {target}: the verdict promotes {verdict.promoted or 'nothing'} "
            f"({(verdict.promoted_digest or 'no artifact')[:SHORT]}) for {verdict.target}, "
            f"not artifact {artifact_digest[:SHORT]}; run the gate on it"
        )
    if not _DIGEST.fullmatch(artifact_digest):
        raise BadInputError(f"an artifact's digest has 64 hex digits, got '{artifact_digest}'")
    place = _place(registry, project, target)
    with locked(place / ".lock"):
        head = _settle(registry, project, target)
        add_version(place, artifact_folder, artifact_digest, digest_of)
        if head is not None and head.artifact_digest == artifact_digest:
            return _promotion(place, head, changed=False)
        entry = append_entry(
            registry / "ledger.jsonl",
            event="promote",
            project=project,
            target=target,
            variant=verdict.promoted,
            artifact_digest=artifact_digest,
            verdict_digest=verdict.digest,
            provenance=provenance,
        )
        point_at(place, artifact_digest)
        return _promotion(place, entry, changed=True)


def rollback(registry: Path, project: str, target: str) -> Promotion:
    """Go back to the version that was promoted before the current one.

    Promotions and rollbacks are a stack: two rollbacks go back two versions. If a rollback was
    killed after it was decided, this call completes that one and goes no further.

    Raises:
        BadInputError: if there is no earlier version.
        ArtifactError: if the earlier version's folder is gone.
    """
    place = _place(registry, project, target)
    with locked(place / ".lock"):
        pointed = pointed_version(place)
        head = _settle(registry, project, target)
        if head is not None and head.event == "rollback" and pointed != head.artifact_digest[:SHORT]:
            return _promotion(place, head, changed=True)
        stack = _stack(_entries(registry, project, target))
        if len(stack) < 2:
            raise BadInputError(
                f"{project}/{target}: there is no earlier version to go back to "
                f"({len(stack)} promoted); see: edgekd ledger verify"
            )
        earlier = stack[-2]
        require_version(place, earlier.artifact_digest)
        entry = append_entry(
            registry / "ledger.jsonl",
            event="rollback",
            project=project,
            target=target,
            variant=earlier.variant,
            artifact_digest=earlier.artifact_digest,
            verdict_digest=earlier.verdict_digest,
            provenance=Provenance(earlier.evidence, earlier.data_digest, earlier.seed, earlier.environment),
        )
        point_at(place, earlier.artifact_digest)
        return _promotion(place, entry, changed=True)


def record_no_promotion(
    registry: Path, project: str, verdict: GateVerdict, provenance: Provenance
) -> LedgerEntry:
    """Write down that nothing was promoted; the same verdict again writes nothing."""
    if verdict.promoted is not None:
        raise BadInputError(f"target {verdict.target}: the verdict promotes {verdict.promoted}; promote it")
    with locked(_place(registry, project, verdict.target) / ".lock"):
        entries = _entries(registry, project, verdict.target)
        last = entries[-1] if entries else None
        if last is not None and (last.event, last.verdict_digest) == ("no promotion", verdict.digest):
            return last
        return append_entry(
            registry / "ledger.jsonl",
            event="no promotion",
            project=project,
            target=verdict.target,
            variant="",
            artifact_digest="",
            verdict_digest=verdict.digest,
            provenance=provenance,
        )


def current(registry: Path, project: str, target: str) -> tuple[str, Path] | None:
    """Return the digest and folder that the target's pointer names; None if nothing is promoted.

    Reads only. After a kill between the ledger and the pointer this is still the version before,
    until the next promote, rollback or settle.

    Raises:
        LedgerError: if the pointer names what the ledger never promoted.
    """
    place = _place(registry, project, target)
    short = pointed_version(place)
    if short is None:
        return None
    digests = {entry.artifact_digest for entry in _entries(registry, project, target)}
    found = next((digest for digest in digests if digest[:SHORT] == short), None)
    if found is None:
        raise LedgerError(f"{place / 'current'}: names {short}, which the ledger never promoted; restore it")
    return found, place / "versions" / short


def settle(registry: Path, project: str, target: str) -> bool:
    """Complete what a killed call had decided; says whether the pointer had to be moved."""
    place = _place(registry, project, target)
    with locked(place / ".lock"):
        before = pointed_version(place)
        _settle(registry, project, target)
        return pointed_version(place) != before


def _settle(registry: Path, project: str, target: str) -> LedgerEntry | None:
    """Clear what a kill left behind, let the pointer follow the ledger, return the entry it follows."""
    place = _place(registry, project, target)
    clear_leftovers(place)
    repair_ledger(registry / "ledger.jsonl")
    entries = _entries(registry, project, target)
    stack = _stack(entries)
    if not stack:
        return None
    head = stack[-1]
    if pointed_version(place) != head.artifact_digest[:SHORT]:
        require_version(place, head.artifact_digest)
        point_at(place, head.artifact_digest)
    return next(entry for entry in reversed(entries) if entry.event != "no promotion")


def _stack(entries: Sequence[LedgerEntry]) -> list[LedgerEntry]:
    """Replay a target's entries: the last one is promoted, the one before is what to go back to."""
    stack: list[LedgerEntry] = []
    for entry in entries:
        if entry.event == "promote":
            stack.append(entry)
        elif entry.event == "rollback":
            if len(stack) < 2 or stack[-2].artifact_digest != entry.artifact_digest:
                raise LedgerError(
                    f"ledger: line {entry.sequence}: rolls {entry.target} back to "
                    f"{entry.artifact_digest[:SHORT]}, which was not the version before; restore the file"
                )
            stack.pop()
    return stack


def _entries(registry: Path, project: str, target: str) -> list[LedgerEntry]:
    entries = read_ledger(registry / "ledger.jsonl")
    return [entry for entry in entries if (entry.project, entry.target) == (project, target)]


def _place(registry: Path, project: str, target: str) -> Path:
    for kind, name in (("project", project), ("target", target)):
        if not _NAME.fullmatch(name):
            raise BadInputError(f"{kind} '{name}': a name in the registry has letters, digits and . _ - only")
    return registry / project / target


def _promotion(place: Path, entry: LedgerEntry, changed: bool) -> Promotion:
    path = version_folder(place, entry.artifact_digest)
    return Promotion(entry.project, entry.target, entry.variant, entry.artifact_digest, path, entry, changed)
