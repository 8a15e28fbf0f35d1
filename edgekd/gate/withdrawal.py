"""Withdraw what is promoted because a verdict proves it harmful."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from edgekd.errors import BadInputError
from edgekd.gate.entry import Decision, Details, LedgerEntry, Provenance
from edgekd.gate.harm import WHOLE, Harm
from edgekd.gate.history import find_place
from edgekd.gate.ledger import append_entry
from edgekd.gate.rows import freeze_rows
from edgekd.gate.settling import settle_locked
from edgekd.gate.verdict import GateVerdict, VariantVerdict
from edgekd.gate.versions import SHORT, point_at, point_nowhere, require_version
from edgekd.store import locked

_OF_THE_MACHINE = (
    "p95_ms",
    "cold_start_ms",
    "peak_rss_mib",
    "artifact_mib",
    "bundle_unzipped_mib",
    "objective",
    "build",
)
"""Checks of time, memory and size: missing such a limit is no harm, and a busy machine may be the cause."""


def find_harm(verdict: GateVerdict, artifact_digest: str | None, known: Iterable[str]) -> Harm | None:
    """Say what a verdict proves of an artifact: failed checks of quality, trust and safety; None if none.

    `known` names the project's slices: a check of one class of a slice is harm in that slice, and a check of
    no slice is harm on all rows.
    A limit of time, memory or size that is missed takes nothing back: bundles and publications are refused,
    and the next run measures again.
    """
    judged = find_judged(verdict, artifact_digest)
    if judged is None or judged.status != "fail":
        return None
    failed = [c for c in judged.checks if c.status == "fail" and c.name not in _OF_THE_MACHINE]
    if not failed:
        return None
    named = {check.name.partition(" ")[2].partition(":")[0] for check in failed}
    slices = {name if name in set(known) else WHOLE for name in named}
    reason = f"fails {', '.join(check.name for check in failed)}"
    return Harm("a verdict", reason, dict.fromkeys(sorted(slices), ""))


def find_judged(verdict: GateVerdict, artifact_digest: str | None) -> VariantVerdict | None:
    """Return what a verdict says of an artifact."""
    return next(
        (v for v in verdict.variants if artifact_digest and v.artifact_digest == artifact_digest), None
    )


def withdraw(
    registry: Path,
    project: str,
    verdict: GateVerdict,
    provenance: Provenance,
    *,
    expects: str,
    harm: Harm,
    back_to: str | None = None,
) -> LedgerEntry:
    """Take back what is promoted; `back_to`, an earlier version, is current then, or nothing is.

    Raises:
        BadInputError: the verdict promotes something, or `back_to` is no earlier version.
        StaleError: something else is promoted by now than what the verdict judged.
        ArtifactError: the earlier version's folder is gone.
    """
    target = verdict.target
    if verdict.promoted is not None:
        raise BadInputError(f"target {target}: the verdict promotes {verdict.promoted}; promote it")
    place = find_place(registry, project, target)
    with locked(place / ".lock"):
        history = settle_locked(registry, project, target)
        history.require_current(expects)
        earlier = next((e for e in reversed(history.stack[:-1]) if e.artifact_digest == back_to), None)
        if back_to is not None and earlier is None:
            raise BadInputError(f"{project}/{target}: {back_to[:SHORT]} is no earlier version to go back to")
        if earlier is not None:
            require_version(place, earlier.artifact_digest)
        entry = append_entry(
            registry / "ledger.jsonl",
            Decision(
                "withdraw",
                project,
                target,
                earlier.variant if earlier is not None else "",
                earlier.artifact_digest if earlier is not None else "",
                verdict.digest,
            ),
            provenance,
            Details(replaces=history.current or "", harm=freeze_rows(registry, place, harm)),
        )
        if earlier is not None:
            point_at(place, earlier.artifact_digest)
        else:
            point_nowhere(place)
        return entry
