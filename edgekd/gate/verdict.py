"""Which variant of a target is promoted, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgekd.config import Target
from edgekd.errors import BadInputError
from edgekd.evaluate.record import Record
from edgekd.evaluate.result import Drop
from edgekd.gate.checks import Check, Status
from edgekd.gate.choice import Comparison, choose
from edgekd.gate.evidence import Basis, VariantEvidence, check_variant, combine, unchecked
from edgekd.stats.interval import Interval
from edgekd.store import digest_json


@dataclass(frozen=True)
class VariantVerdict(Record):
    """Every check of one variant and what they come to."""

    variant: str
    artifact_digest: str
    status: Status
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class GateVerdict(Record):
    """What is promoted for one target; `tie_with` names those that noise cannot tell from it."""

    target: str
    variants: tuple[VariantVerdict, ...]
    promoted: str | None
    promoted_digest: str | None
    tie_with: tuple[str, ...]
    basis: Basis
    reason: str

    @property
    def outcome(self) -> str:
        """One phrase: `promoted`, with what its latency rests on, or why not: the best status reached."""
        if self.promoted is None:
            order: tuple[Status, ...] = ("inconclusive", "fail")
            found = {entry.status for entry in self.variants}
            return next((status for status in order if status in found), "not measured")
        if self.basis == "native":
            return "promoted"
        return f"promoted ({'proxy latency' if self.basis == 'proxy' else 'latency not measured'})"

    @property
    def digest(self) -> str:
        """Digest of everything in it."""
        return digest_json(self.to_json())


def judge_target(
    target: Target,
    evidence: Sequence[VariantEvidence],
    incumbent: str | None = None,
    ratio: Callable[[str, str], Interval] | None = None,
    quality_drop: Callable[[str, str], Drop] | None = None,
) -> GateVerdict:
    """Promote, of the variants that pass every check, the one that the objective chooses.

    `incumbent` is the digest of the artifact promoted now; give its evidence among the others, as
    it stays unless it fails or is beaten by more than noise. `ratio(a, b)` is the interval of
    p95(a) / p95(b) and `quality_drop(a, b)` the paired drop of b against a, for two artifact
    digests; without them the variants' own intervals must lie apart, which is harder to reach.

    Raises:
        BadInputError: if a variant or artifact is listed twice, or an evaluation is of another one.
    """
    _check_names(evidence)
    verdicts = tuple(_judge(target, entry) for entry in evidence)
    passing = [e for e, v in zip(evidence, verdicts, strict=True) if v.status == "pass"]
    if not passing:
        reason = _why_none(verdicts)
        return GateVerdict(target.name, verdicts, None, None, (), _basis(evidence), reason)
    choice = choose(passing, Comparison(target.objective, incumbent, ratio, quality_drop))
    winner = choice.winner
    notes = [choice.reason]
    if incumbent is not None and all(entry.artifact_digest != incumbent for entry in evidence):
        notes.append(f"the incumbent {incumbent[:12]} was not measured beside these, so not compared")
    notes += [f"not checked: {what}" for what in unchecked(target, winner)]
    return GateVerdict(
        target=target.name,
        variants=verdicts,
        promoted=winner.variant,
        promoted_digest=winner.artifact_digest,
        tie_with=choice.tie_with,
        basis=winner.basis,
        reason="; ".join(notes),
    )


def _judge(target: Target, evidence: VariantEvidence) -> VariantVerdict:
    checks = check_variant(target, evidence)
    return VariantVerdict(evidence.variant, evidence.artifact_digest, combine(checks), checks)


def _check_names(evidence: Sequence[VariantEvidence]) -> None:
    names = [entry.variant for entry in evidence]
    digests = [entry.artifact_digest for entry in evidence if entry.built]
    for kind, values in (("variant", names), ("artifact", digests)):
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            raise BadInputError(f"{kind} '{twice[0]}' has evidence twice; give each one once")


def _why_none(verdicts: Sequence[VariantVerdict]) -> str:
    if not verdicts:
        return "no variant was given"
    parts = []
    for verdict in verdicts:
        bad = [check for check in verdict.checks if check.status == verdict.status]
        names = ", ".join(check.name for check in bad)
        parts.append(f"{verdict.variant} {verdict.status}: {names} ({bad[0].reason})")
    return "; ".join(parts)


def _basis(evidence: Sequence[VariantEvidence]) -> Basis:
    order: tuple[Basis, ...] = ("native", "proxy", "emulated")
    found = {entry.basis for entry in evidence}
    return next((basis for basis in order if basis in found), "not measured")
