"""Leave of several findings those that agree: one answer to whether to go on, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edgekd.distill.diagnosis.finding import Finding
from edgekd.distill.diagnosis.history import History

LONGER = frozenset(("continue", "structure is still learned"))
"""More epochs of the same."""
TOO_SMALL = frozenset(("larger student or better data", "at its capacity", "student too small"))
"""The student cannot hold what it is taught."""
OTHERWISE = TOO_SMALL | {"raise hard weight", "raise alpha or temperature", "hidden states lag"}
"""Train anew with other settings or another shape."""
_PLATEAU, _STOP, _RISES, _STRUCTURE = (
    "prepare to stop",
    "stop",
    "lower the rate",
    "structure is still learned",
)


def settle(findings: Sequence[Finding], history: History) -> tuple[Finding, ...]:
    """Leave out what another finding contradicts; the rest keeps its order.

    - Safety and gates end it, whatever is still learned and whatever would help to learn more.
    - Where held-out rows grow worse, training stops: nothing else that the training loss says counts.
    - Where the training loss rises, the rate is the matter, and neither the student's size nor its time.
    - A student that is too small gains nothing from more epochs.
    - Held-out rows that gain nothing more are no reason to stop where a finding says what holds them back:
      that finding then has their figures as evidence.
    - The rule on the loss does not stop what its answers still gain from, as it does not in training.
    """
    names = {finding.name for finding in findings}
    rules = {name for name in names if name.endswith(" rule")}
    dropped: set[str] = set()
    if any("safety" in name or name == "business rule" for name in rules):
        dropped |= LONGER | OTHERWISE | {_PLATEAU}
    elif _STOP in names:
        dropped |= LONGER | OTHERWISE
    elif _RISES in names:
        dropped |= {_STRUCTURE, "larger student or better data", "at its capacity"} | rules
    elif names & OTHERWISE:
        dropped |= {_PLATEAU} | rules | (LONGER if names & TOO_SMALL else set())
    elif _STRUCTURE in names:
        dropped |= {_PLATEAU} | rules
    elif "continue" in names and rules:
        gains = history.best.epoch == history.epochs[-1].epoch
        dropped |= rules if gains else {"continue"}
    kept = [finding for finding in findings if finding.name not in dropped]
    flat = next((finding for finding in findings if finding.name == _PLATEAU and _PLATEAU in dropped), None)
    return tuple(_with_figures(finding, flat) for finding in kept)


def _with_figures(finding: Finding, flat: Finding | None) -> Finding:
    """Add what is seen of held-out rows to a finding that says why they gain nothing more."""
    if flat is None or finding.name not in OTHERWISE:
        return finding
    return replace(finding, evidence=(*finding.evidence, *flat.evidence))
