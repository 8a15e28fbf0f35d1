"""Which variant of a target is promoted, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edgekd.config import Target
from edgekd.config.gates import Gates
from edgekd.errors import BadInputError
from edgekd.evaluate.record import Record
from edgekd.evaluate.result import Drop
from edgekd.evaluate.teacher_floor import TeacherFloor
from edgekd.gate.check import Check, Status, combine
from edgekd.gate.choice import Comparison, choose
from edgekd.gate.evidence import Basis, VariantEvidence, check_variant, unchecked
from edgekd.stats.interval import Interval
from edgekd.store import digest_json

RULES = 3
"""Rises with every change by which the same evidence can be judged otherwise: 2, bounds with half a row; 3,
floors, each class of a slice on its own, and the objective `quality` compares what is served."""


@dataclass(frozen=True)
class VariantVerdict(Record):
    """Every check of one variant and what they come to."""

    variant: str
    artifact_digest: str
    status: Status
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class GateVerdict(Record):
    """What is promoted for one target; `tie_with` names those that noise cannot tell from it.

    `teacher_under` holds the floors that the teacher itself missed on validation rows, before distillation.
    """

    target: str
    variants: tuple[VariantVerdict, ...]
    promoted: str | None
    promoted_digest: str | None
    tie_with: tuple[str, ...]
    basis: Basis
    reason: str
    teacher_under: tuple[TeacherFloor, ...] = ()

    @property
    def outcome(self) -> str:
        """One phrase: `promoted`, with what its latency rests on, or why not: the best status reached."""
        if self.promoted is None:
            order: tuple[Status, ...] = ("inconclusive", "fail", "not eligible")
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
    order: Sequence[str] | None = None,
    gates: Gates | None = None,
    barred: Mapping[str, str] | None = None,
) -> GateVerdict:
    """Promote, of the variants that pass every check, the one that the objective chooses.

    Each variant is tested at 95 %, so of many bad ones some would pass. `order` names variants as they
    stood before the test rows were read, the most trusted first; they are tested in that order, and the
    first whose quality is not proven ends it: those after it are not tested. Then a bad one is promoted
    in at most 5 % of cases, however many there are (Maurer, W., Hothorn, L. A. and Lehmacher, W. (1995),
    Multiple comparisons in drug clinical trials, in Biometrie in der chemisch-pharmazeutischen Industrie
    6, 3-18). Without it each is taken as the only one.

    `incumbent` is the digest of the artifact promoted now; give its evidence among the others, as
    it stays unless it fails or is beaten by more than noise. `ratio(a, b)` is the interval of
    p95(a) / p95(b) and `quality_drop(a, b)` the paired drop of b against a, for two artifact
    digests; without them the variants' own intervals must lie apart, which is harder to reach. `barred`
    says why an artifact was taken back and may not be promoted again: it fails, whatever was measured.

    Raises:
        BadInputError: if a variant or artifact is listed twice, or an evaluation is of another one.
    """
    _check_names(evidence)
    verdicts = _end_at_first_unproven(
        [_judge(target, entry, gates or Gates(), barred or {}) for entry in evidence], order
    )
    passing = [e for e, v in zip(evidence, verdicts, strict=True) if v.status == "pass"]
    if not passing:
        reason = _why_none(verdicts)
        return GateVerdict(target.name, verdicts, None, None, (), _basis(evidence), reason)
    choice = choose(passing, Comparison(target.objective, incumbent, ratio, quality_drop))
    winner = choice.winner
    notes = [choice.reason]
    if incumbent is not None and all(entry.artifact_digest != incumbent for entry in evidence):
        notes.append(f"the incumbent {incumbent[:12]} was not measured beside these, so not compared")
    notes += _describe_carved(winner)
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


def _describe_carved(winner: VariantEvidence) -> list[str]:
    kept = {} if winner.routing is None else winner.routing.policy.get("incumbent", {})
    staying = [name for name in winner.carved if name in kept.get("slices", ())]
    leaving = [name for name in winner.carved if name not in staying]
    return [
        *([f"carved out, answered by the teacher: {', '.join(leaving)}"] if leaving else []),
        *([f"carved out, left with {kept['artifact'][:12]}: {', '.join(staying)}"] if staying else []),
    ]


def _judge(
    target: Target, evidence: VariantEvidence, gates: Gates, barred: Mapping[str, str]
) -> VariantVerdict:
    checks = check_variant(target, evidence, gates)
    if evidence.artifact_digest in barred:
        why, needed = barred[evidence.artifact_digest], "newer test rows or a person's word"
        checks = (*checks, Check("taken back", "fail", "did harm", needed, why))
    return VariantVerdict(evidence.variant, evidence.artifact_digest, combine(checks), checks)


def _end_at_first_unproven(
    verdicts: Sequence[VariantVerdict], order: Sequence[str] | None
) -> tuple[VariantVerdict, ...]:
    """Take the pass from those that are tested after one whose quality is not proven."""
    if order is None:
        return tuple(verdicts)
    places = {name: place for place, name in enumerate(order)}
    known = [entry for entry in verdicts if any(check.is_of_quality for check in entry.checks)]
    if missing := [entry.variant for entry in known if entry.variant not in places]:
        raise BadInputError(f"variant '{missing[0]}' has no place in the order of testing; give it one")
    known.sort(key=lambda entry: places[entry.variant])
    unproven = next((entry for entry in known if _quality(entry) != "pass"), None)
    if unproven is None:
        return tuple(verdicts)
    after = {entry.variant for entry in known[known.index(unproven) + 1 :] if _quality(entry) == "pass"}
    why = f"{unproven.variant}, better on validation rows, is not proven, and that ends the testing"
    untested = Check("order of testing", "inconclusive", "not tested", "those before it are proven", why)
    return tuple(
        VariantVerdict(
            entry.variant,
            entry.artifact_digest,
            combine((*entry.checks, untested)),
            (*entry.checks, untested),
        )
        if entry.variant in after
        else entry
        for entry in verdicts
    )


def _quality(entry: VariantVerdict) -> Status:
    return combine(tuple(check for check in entry.checks if check.is_of_quality))


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
