"""Refuse to let out what the newest verdict fails, unless a person says so."""

from __future__ import annotations

from typing import Literal

from edgekd.errors import HarmedError
from edgekd.gate.standing import find_standing, record_shipped
from edgekd.pipeline.context import Context


def check_standing(
    context: Context, target: str, artifact_digest: str, what: Literal["bundle", "publish"], anyway: bool
) -> str:
    """Return what the model card must say against an artifact; empty if nothing.

    With `anyway` the ledger records that a person let it go out.

    Raises:
        HarmedError: the newest verdict fails the artifact, and nobody said `anyway`.
    """
    standing = find_standing(context.registry, context.project.name, target, artifact_digest)
    if standing is None or not standing.objection:
        return ""
    if not anyway:
        raise HarmedError(
            f"{target}: {artifact_digest[:12]} is promoted, but {standing.objection}; mend it and run again, "
            f"or: edgekd {what} PROJECT --target {target} --anyway"
        )
    entry = record_shipped(context.registry, standing, artifact_digest, what)
    return (
        f"{standing.objection[0].upper()}{standing.objection[1:]}. A person let it go out all the same "
        f"(`edgekd {what} --anyway`, line {entry.sequence} of the ledger)."
    )
