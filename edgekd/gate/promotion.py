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

Whoever replaces something names what it expects to replace, and is refused where something else is
promoted by then. What was taken back is promoted again only for newer test rows in every harmed slice,
or on a person's word; the entry says which. What a verdict withdrew, a newer verdict can bring back.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgekd.errors import BadInputError
from edgekd.gate.entry import Decision, Details, LedgerEntry, Provenance
from edgekd.gate.harm import WHOLE, Harm
from edgekd.gate.history import History, find_place, read_history
from edgekd.gate.ledger import append_entry
from edgekd.gate.rows import freeze_rows
from edgekd.gate.settling import current, settle, settle_locked
from edgekd.gate.terms import NO_TERMS, Terms, why_again
from edgekd.gate.verdict import GateVerdict
from edgekd.gate.versions import (
    SHORT,
    add_version,
    point_at,
    pointed_version,
    require_version,
    version_folder,
)
from edgekd.store import locked

__all__ = ["Candidate", "Promotion", "current", "promote", "record_no_promotion", "rollback", "settle"]

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Candidate:
    """An artifact to promote.

    Attributes:
        folder: where it lies.
        digest: of all its files.
        digest_of: gives a folder's digest after checking its files; without it a copy is not checked.
    """

    folder: Path
    digest: str
    digest_of: Callable[[Path], str] | None = None


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
    candidate: Candidate,
    verdict: GateVerdict,
    provenance: Provenance,
    *,
    expects: str | None,
    terms: Terms = NO_TERMS,
) -> Promotion:
    """Make an artifact the promoted one; if it is already, nothing is written.

    `expects` is the digest of what was promoted when the artifact was judged, None if nothing was.
    The copy is checked by `candidate.digest_of` before anything points there.

    Raises:
        BadInputError: if the verdict does not promote this artifact for this target.
        StaleError: if something else is promoted by now than what is expected.
        HarmedError: if the artifact was taken back, and neither newer test rows nor a person brings it back.
        ArtifactError: if the folder is missing, holds a link, or its copy has another digest.
        LedgerError: if the ledger's chain does not hold.
    """
    artifact_digest = candidate.digest
    if verdict.target != target or verdict.promoted is None or verdict.promoted_digest != artifact_digest:
        raise BadInputError(
            f"target {target}: the verdict promotes {verdict.promoted or 'nothing'} "
            f"({(verdict.promoted_digest or 'no artifact')[:SHORT]}) for {verdict.target}, "
            f"not artifact {artifact_digest[:SHORT]}; run the gate on it"
        )
    if not _DIGEST.fullmatch(artifact_digest):
        raise BadInputError(f"an artifact's digest has 64 hex digits, got '{artifact_digest}'")
    place = find_place(registry, project, target)
    with locked(place / ".lock"):
        history = settle_locked(registry, project, target)
        if history.head is not None and history.current == artifact_digest:
            add_version(place, candidate.folder, artifact_digest, candidate.digest_of)
            entry = _keep(registry, history, verdict, provenance, terms) or history.head
            return _promotion(place, history.stack[-1], entry, changed=False)
        history.require_current(expects)
        again = why_again(registry, history, artifact_digest, terms)
        harm = None if terms.harm is None else freeze_rows(registry, place, terms.harm)
        add_version(place, candidate.folder, artifact_digest, candidate.digest_of)
        entry = append_entry(
            registry / "ledger.jsonl",
            Decision("promote", project, target, verdict.promoted, artifact_digest, verdict.digest),
            provenance,
            Details(terms.model, history.current or "", terms.conditions, harm, again, learned=terms.learned),
        )
        point_at(place, artifact_digest)
        return _promotion(place, entry, entry, changed=True)


def rollback(
    registry: Path, project: str, target: str, *, expects: str, harm: Harm | None = None
) -> Promotion:
    """Take back what is promoted, and put the last version before it that was not taken back in its place.

    Promotions and rollbacks are a stack: two rollbacks go back two versions. `expects` is the digest of
    what is taken back, or its beginning. If a rollback of it was killed after it was decided, this call
    completes that one. Without `harm` the harm is a person's word on all rows.

    Raises:
        StaleError: if something else is promoted by now.
        BadInputError: if there is no earlier version.
        ArtifactError: if the earlier version's folder is gone.
    """
    place = find_place(registry, project, target)
    harm = harm or Harm("a person", "rolled back without a reason", {WHOLE: ""})
    with locked(place / ".lock"):
        pointed = pointed_version(place)
        history = settle_locked(registry, project, target)
        head, top = history.head, history.stack[-1] if history.stack else None
        if head is not None and top is not None and head.event == "rollback":
            was_killed = pointed is not None and pointed != head.artifact_digest[:SHORT]
            if was_killed and expects.startswith(str(pointed)[: len(expects)]):
                return _promotion(place, top, head, changed=True)
        earlier = history.earlier
        if top is not None:
            history.require_current(expects)
        if earlier is None:
            raise BadInputError(
                f"{project}/{target}: there is no earlier version to go back to "
                f"({len(history.stack)} promoted); see: edgekd ledger verify"
            )
        require_version(place, earlier.artifact_digest)
        entry = append_entry(
            registry / "ledger.jsonl",
            Decision(
                "rollback", project, target, earlier.variant, earlier.artifact_digest, earlier.verdict_digest
            ),
            Provenance(earlier.evidence, earlier.data_digest, earlier.seed, earlier.environment),
            Details(replaces=history.current, harm=freeze_rows(registry, place, harm)),
        )
        point_at(place, earlier.artifact_digest)
        return _promotion(place, earlier, entry, changed=True)


def record_no_promotion(
    registry: Path, project: str, verdict: GateVerdict, provenance: Provenance
) -> LedgerEntry:
    """Write down that nothing was promoted; the same verdict again writes nothing."""
    if verdict.promoted is not None:
        raise BadInputError(f"target {verdict.target}: the verdict promotes {verdict.promoted}; promote it")
    with locked(find_place(registry, project, verdict.target) / ".lock"):
        last = _last_verdict(read_history(registry, project, verdict.target))
        if last is not None and (last.event, last.verdict_digest) == ("no promotion", verdict.digest):
            return last
        return append_entry(
            registry / "ledger.jsonl",
            Decision("no promotion", project, verdict.target, "", "", verdict.digest),
            provenance,
        )


def _keep(
    registry: Path, history: History, verdict: GateVerdict, provenance: Provenance, terms: Terms
) -> LedgerEntry | None:
    """Write down that what is promoted passes again after it had not, or which conditions it lacked."""
    last = _last_verdict(history)
    is_new = history.conditions is None and terms.conditions is not None
    if not is_new and (last is None or last.event != "no promotion"):
        return None
    top = history.stack[-1]
    return append_entry(
        registry / "ledger.jsonl",
        Decision(
            "keep", top.project, top.target, verdict.promoted or "", top.artifact_digest, verdict.digest
        ),
        provenance,
        Details(conditions=terms.conditions if is_new else None),
    )


def _last_verdict(history: History) -> LedgerEntry | None:
    return next((entry for entry in reversed(history.entries) if entry.event != "shipped anyway"), None)


def _promotion(place: Path, promoted: LedgerEntry, entry: LedgerEntry, changed: bool) -> Promotion:
    digest = promoted.artifact_digest
    path = version_folder(place, digest)
    return Promotion(promoted.project, promoted.target, promoted.variant, digest, path, entry, changed)
