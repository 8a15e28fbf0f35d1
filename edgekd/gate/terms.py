"""On which terms an artifact is promoted: conditions, evidence, and a person's word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgekd.errors import HarmedError
from edgekd.gate.conditions import RollbackConditions
from edgekd.gate.harm import Harm
from edgekd.gate.history import History, read_history
from edgekd.gate.rows import JudgedTexts, unrenewed_slices
from edgekd.gate.versions import SHORT


@dataclass(frozen=True)
class Terms:
    """What a promotion is told beside its verdict.

    Attributes:
        conditions: what live traffic must hold from now on.
        rows: the test rows of the verdict, slice by slice.
        again: a person's word that what was taken back may be promoted again.
        model: of the artifact, the digest of the files that decide its answers.
        harm: what the verdict proves of the artifact that is replaced; rollbacks then pass it over.
        learned: sha256 of the list of texts that the artifact was made from.
    """

    conditions: RollbackConditions | None = None
    rows: JudgedTexts = field(default_factory=dict)
    again: bool = False
    harm: Harm | None = None
    model: str | None = None
    learned: str | None = None


NO_TERMS = Terms()


def find_barred(
    registry: Path, project: str, target: str, models: Mapping[str, str], terms: Terms
) -> dict[str, str]:
    """Say of each artifact that may not be promoted again why not; `models` are their own, by digest."""
    history = read_history(registry, project, target)
    barred = {}
    for digest, model in models.items():
        try:
            why_again(registry, history, digest, replace(terms, model=model))
        except HarmedError as error:
            barred[digest] = str(error)
    return barred


def why_again(registry: Path, history: History, artifact_digest: str, terms: Terms) -> str | None:
    """Say what lets an artifact be promoted that was taken back; None if it was not.

    Raises:
        HarmedError: nothing does.
    """
    taken = history.took_back(artifact_digest, terms.model)
    if taken is None or artifact_digest == history.current:
        return None
    if taken.harm is not None and taken.harm.by == "a verdict":  # its own measure: a newer verdict decides
        return f"a newer verdict passes it, against line {taken.sequence}"
    if terms.again:
        return f"a person's word, against line {taken.sequence}"
    missing = unrenewed_slices(registry, taken.harm, terms.rows)
    if not missing and taken.harm is not None:
        return f"newer test rows in {', '.join(taken.harm.slices)}, against line {taken.sequence}"
    why = f" ({taken.harm.by}: {taken.harm.reason})" if taken.harm is not None else ""
    equal = "" if artifact_digest in history.taken_back else ", the same model with another digest,"
    raise HarmedError(
        f"{taken.project}/{taken.target}: artifact {artifact_digest[:SHORT]}{equal} was taken back by line "
        f"{taken.sequence} of the ledger{why}; promoting it again needs newer test rows in "
        f"{', '.join(missing)}, or a person's word: edgekd promote PROJECT --again"
    )
