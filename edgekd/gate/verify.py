"""Check a registry as a whole: what the ledger says, and what the folders hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekd.errors import ArtifactError, LedgerError
from edgekd.gate.entry import LedgerEntry
from edgekd.gate.history import replay_entries
from edgekd.gate.ledger import read_ledger, verify_ledger
from edgekd.gate.objects import verify_objects
from edgekd.gate.versions import SHORT, pointed_version, version_folder
from edgekd.store import digest_json, parse_json


@dataclass(frozen=True)
class Verified:
    """How many entries, kept files and versions were checked and are whole."""

    entries: int
    files: int
    versions: int


def verify_registry(registry: Path, digest_of: Callable[[Path], str]) -> Verified:
    """Check the ledger's chain, the files that its entries rest on, and every promoted folder.

    Every artifact that was ever promoted must be there and hold what its digest says; `current` must point
    at what the ledger says; every folder of a version must have a line that promoted it. `digest_of` gives
    an artifact folder's digest after checking all its files.

    Raises:
        LedgerError: naming the first thing that is not as it should be, and how many more there are.
    """
    ledger = registry / "ledger.jsonl"
    places = sorted(
        {path.parent for kind in ("versions", "current") for path in registry.glob(f"*/*/{kind}")}
    )
    if places and (not ledger.is_file() or not ledger.stat().st_size):
        state = "is empty" if ledger.is_file() else "is missing"
        raise LedgerError(
            f"{ledger}: {state}, but {len(places)} targets hold promoted folders, first {places[0]}; "
            "restore the ledger"
        )
    count = verify_ledger(ledger)
    entries = read_ledger(ledger)
    files = verify_objects(registry, entries)
    named = {registry / entry.project / entry.target for entry in entries}
    problems, versions = [], 0
    for place in sorted(named | set(places)):
        own = [e for e in entries if registry / e.project / e.target == place]
        problems += [*_check_pointer(place, own), *_check_verdicts(place, own)]
        promoted = {e.artifact_digest for e in own if e.event == "promote"}
        problems += list(_check_versions(place, promoted, digest_of))
        versions += len(promoted)
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise LedgerError(problems[0] + more)
    return Verified(count, files, versions)


def _check_pointer(place: Path, entries: Sequence[LedgerEntry]) -> Iterator[str]:
    wanted = (replay_entries(entries).current or "")[:SHORT]
    pointed = pointed_version(place) or ""
    if pointed != wanted:
        yield (
            f"{place / 'current'}: points at {pointed or 'nothing'}, but the ledger's last word is "
            f"{wanted or 'nothing'}; after a kill the next run puts it right, else restore it"
        )


def _check_versions(place: Path, promoted: set[str], digest_of: Callable[[Path], str]) -> Iterator[str]:
    for digest in sorted(promoted):
        folder = version_folder(place, digest)
        if not folder.is_dir():
            yield f"{folder}: the ledger promoted this artifact, but its folder is gone; restore it"
            continue
        try:
            found = digest_of(folder)
        except ArtifactError as error:
            yield f"{folder}: was changed after it was promoted ({error}); restore it"
            continue
        if found != digest:
            yield f"{folder}: expected artifact {digest[:SHORT]}, found {found[:SHORT]}; restore it"
    known = {digest[:SHORT] for digest in promoted}
    for folder in sorted((place / "versions").glob("[!.]*")):
        if folder.name not in known:
            yield (
                f"{folder}: no line of the ledger promotes this folder; a promotion was killed before it was "
                "decided (then run it again, or remove the folder), or lines of the ledger are gone"
            )


def _check_verdicts(place: Path, entries: Sequence[LedgerEntry]) -> Iterator[str]:
    """Check the verdicts that lie beside `current`; registries that keep none have none to check."""
    folder = place / "verdicts"
    if not folder.is_dir():
        return
    for digest in sorted({entry.verdict_digest for entry in entries if entry.verdict_digest}):
        path = folder / f"{digest[:SHORT]}.json"
        try:
            found = digest_json(parse_json(path.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            yield f"{path}: the verdict of a line of the ledger is missing or cannot be read; restore it"
            continue
        if found != digest:
            yield f"{path}: the verdict was changed after it was kept; restore it"
