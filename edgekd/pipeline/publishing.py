"""Publish what is promoted to a registry outside."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from edgekd.bundle.card import write_card
from edgekd.compile import open_artifact
from edgekd.errors import BadInputError, ConfigError, unknown_name
from edgekd.gate.evidence import VariantEvidence
from edgekd.gate.history import read_history
from edgekd.gate.ledger import read_ledger
from edgekd.gate.promotion import current
from edgekd.pipeline.bundling import describe_origin, find_documents
from edgekd.pipeline.context import Context
from edgekd.pipeline.needs import require_libraries
from edgekd.pipeline.shipping import check_standing
from edgekd.publish import Published, publish, retract
from edgekd.store import locked

_UNFIT = re.compile(r"[^\w\-. ]")  # MLflow takes no others in a metric's name


def publish_promoted(
    context: Context, only: Sequence[str], uri: str | None, anyway: bool = False
) -> Iterator[Published]:
    """Point the alias of each target at what is promoted now, in the registry that MLflow keeps at `uri`.

    Run it after a promotion or a rollback; what is there already is not sent again. `anyway` lets out what
    the newest verdict fails; the card and the ledger say so. An alias of a target whose promoted artifact was
    withdrawn is taken away.

    Raises:
        BadInputError: nothing is promoted on any of the targets, or on one that was asked for by name.
        HarmedError: the newest verdict fails what is promoted.
        TrackerError: MLflow cannot be reached or refuses.
    """
    require_libraries(("mlflow", "sqlalchemy"))
    names = [target.name for target in context.targets]
    for name in only:
        if name not in names:
            raise ConfigError(unknown_name("target", name, names))
    project, made = context.project.name, 0
    for target in context.targets:
        found = current(context.registry, project, target.name)
        if only and target.name not in only:
            continue
        head = read_history(context.registry, project, target.name).head
        if found is None and head is not None and head.event == "withdraw":
            if retract(project, target.name, uri):
                yield Published(project, target.name, "", added=False)
            made += 1
            continue
        if found is None and not only:
            continue
        if found is None:
            raise BadInputError(f"{target.name}: nothing is promoted; run: edgekd run PROJECT first")
        digest, path = found
        objection = check_standing(context, target.name, digest, "publish", anyway)
        artifact = open_artifact(path)
        verdict, evidence = find_documents(path.parent.parent, digest)
        card = write_card(artifact, target, verdict, evidence, describe_origin(context), objection)
        tags = _describe(context, target.name, digest)
        with locked(context.registry / ".publish.lock"):
            yield publish(
                artifact, project, target.name, card=card, tags=tags, metrics=_measure(evidence), uri=uri
            )
        made += 1
    if not made:
        raise BadInputError(f"{project}: nothing is promoted; run: edgekd run PROJECT first")


def _describe(context: Context, target: str, digest: str) -> dict[str, str]:
    """Name the line of the ledger that promoted the artifact: its verdict can be replayed from there."""
    entries = read_ledger(context.registry / "ledger.jsonl")
    own = [e for e in entries if (e.project, e.target) == (context.project.name, target)]
    entry = next(e for e in reversed(own) if e.artifact_digest == digest and e.event == "promote")
    return {
        "edgekd.variant": entry.variant,
        "edgekd.ledger_line": str(entry.sequence),
        "edgekd.ledger_digest": entry.digest,
        "edgekd.verdict": entry.verdict_digest,
        "edgekd.data": entry.data_digest,
    }


def _measure(evidence: Mapping[str, Any] | None) -> dict[str, float]:
    """Return what was measured: estimates of latency in ms, bytes, and each slice's quality as a share.

    Where the artifact routes, quality is of student and teacher together: it is what the gate judged.
    """
    if evidence is None:
        return {}
    known = VariantEvidence.from_json(evidence)
    timed = {"p50_ms": known.p50_ms, "p95_ms": known.p95_ms, "cold_start_ms": known.cold_start_ms}
    found = {name: figure.estimate for name, figure in timed.items() if figure is not None}
    found["artifact_bytes"] = float(known.artifact_bytes)
    for entry in known.judged:
        if entry.value is not None:
            found[f"quality/{_UNFIT.sub('_', entry.name)}"] = entry.value.estimate
    return found
