"""Rollback conditions: what live traffic must hold, written into the ledger at promotion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edgekd.config import Slice, Target
from edgekd.config.gates import Gates
from edgekd.evaluate.record import Record
from edgekd.evaluate.result import SliceResult

P95_MS, FALLBACK_RATE = "p95_ms", "fallback_rate"
FIGURES = (P95_MS, FALLBACK_RATE)
"""What counts can be of beside slices."""
_SLOW_SHARE = 0.05
"""A 95th percentile above its limit is the same as more than 5 % of the answers above that limit."""


@dataclass(frozen=True)
class SliceCondition(Record):
    """What the hits of one slice must hold; shares.

    Attributes:
        margin: the largest drop against the incumbent's rate of hits.
        at_least: the least rate of hits. For a slice that judges recall, hits are messages of its classes
            that were found: this is the condition on escalation recall.
    """

    margin: float | None = None
    at_least: float | None = None


@dataclass(frozen=True)
class RollbackConditions(Record):
    """What was promised when an artifact was promoted; an absent condition is not watched."""

    slices: Mapping[str, SliceCondition] = field(default_factory=dict)
    p95_ms: float | None = None
    fallback_rate: float | None = None

    @property
    def most(self) -> dict[str, float]:
        """The largest share of counted hits, by figure: answers above the limit, messages to the teacher."""
        limits = {P95_MS: None if self.p95_ms is None else _SLOW_SHARE, FALLBACK_RATE: self.fallback_rate}
        return {name: share for name, share in limits.items() if share is not None}

    @property
    def claims(self) -> int:
        """How many claims of harm share the 5 % of a false alarm; fixed at promotion, so it holds always."""
        of_slices = sum(
            (entry.margin is not None) + (entry.at_least is not None) for entry in self.slices.values()
        )
        return of_slices + len(self.most)


def make_conditions(
    slices: Sequence[Slice], target: Target, gates: Gates, judged: Sequence[SliceResult]
) -> RollbackConditions:
    """Take the conditions from the slices, the target's limit of latency and the gates of a project.

    A slice that judges recall and has no floor of its own gets one: the teacher's recall on the test rows
    less the margin, which is what the gate let pass. `judged` are the promoted variant's slices.
    """
    return RollbackConditions(
        slices={entry.name: _condition(entry, judged) for entry in slices},
        p95_ms=target.limits.p95_ms,
        fallback_rate=gates.fallback_rate,
    )


def _condition(wanted: Slice, judged: Sequence[SliceResult]) -> SliceCondition:
    margin = None if wanted.margin is None else wanted.margin / 100
    if wanted.at_least is not None:
        return SliceCondition(margin, wanted.at_least / 100)
    if wanted.at_most is not None:  # of false alarms: hits are the rows that raise none
        return SliceCondition(margin, 1 - wanted.at_most / 100)
    taught = _taught_value(wanted, judged)
    if margin is None or taught is None or taught <= margin:
        return SliceCondition(margin)
    return SliceCondition(margin, taught - margin)


def _taught_value(wanted: Slice, judged: Sequence[SliceResult]) -> float | None:
    """The teacher's recall on the test rows, over all classes of a slice."""
    if not wanted.sought:
        return None
    names = {f"{wanted.name}:{label}" for label in wanted.sought}
    whole = [entry for entry in judged if entry.name == wanted.name]
    known = [
        (entry.n, entry.value.estimate + drop.estimate)
        for entry in whole or [entry for entry in judged if entry.name in names]
        if entry.n and entry.value is not None and (drop := entry.drop_from("teacher")) is not None
    ]
    rows = sum(n for n, _ in known)
    return sum(n * share for n, share in known) / rows if rows else None
