"""What is known of one variant, and every check of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from edgekd.config import Target
from edgekd.config.gates import Gates
from edgekd.errors import BadInputError
from edgekd.evaluate.agreement import Ported
from edgekd.evaluate.classify.bias import BiasFit
from edgekd.evaluate.classify.routing import RoutingResult
from edgekd.evaluate.record import Record
from edgekd.evaluate.result import EvalResult, SliceResult
from edgekd.gate.check import Check, Status
from edgekd.gate.checks import (
    check_artifact_mib,
    check_bundle_unzipped_mib,
    check_cold_start_ms,
    check_p95_ms,
    check_peak_rss_mib,
    check_ported,
    check_slices,
)
from edgekd.gate.figures import check_figures
from edgekd.stats.interval import Interval

Basis = Literal["native", "proxy", "emulated", "not measured"]
_NONE = Gates()


@dataclass(frozen=True)
class VariantEvidence(Record):
    """Everything measured of one variant; `artifact_digest` is empty where none was built.

    `basis` is of the figures of time and memory. A variant that could not be built (`problem` says
    why) has failed, unless its basis is `not measured`: then the machine or runtime it needs is not
    here, and nothing was tried. Under emulation only answers count: its times and memory do not.
    With `routing`, what is judged is the routed system, teacher included: what a user gets; `carved` names
    slices that go to the teacher because the student alone would have failed them. `figures` are those of
    the project's gates, with two-sided intervals at 90 %. `bias` was fitted on validation rows so that
    floors hold; None where the project has none, or an earlier run fitted it.
    """

    variant: str
    student: str
    runtime: str
    recipe: str
    artifact_digest: str
    artifact_bytes: int
    p50_ms: Interval | None
    p95_ms: Interval | None
    cold_start_ms: Interval | None
    peak_rss_bytes: int | None
    basis: Basis
    basis_reason: str
    evaluation: EvalResult | None
    built: bool
    problem: str = ""
    bundle_unzipped_bytes: int | None = None
    ported: tuple[Ported, ...] = ()
    routing: RoutingResult | None = None
    carved: tuple[str, ...] = ()
    figures: Mapping[str, Interval] = field(default_factory=dict)
    bias: BiasFit | None = None

    @property
    def judged(self) -> tuple[SliceResult, ...]:
        """The slices that the gate reads: the routed system's, or the variant's own if it routes nothing."""
        if self.routing is not None:
            return tuple(entry.quality for entry in self.routing.slices)
        return self.evaluation.slices if self.evaluation is not None else ()

    @property
    def overall(self) -> SliceResult | None:
        """All rows, as they are served."""
        return next((entry for entry in self.judged if entry.name == "overall"), None)

    @property
    def usable_p95_ms(self) -> Interval | None:
        """The 95th percentile where it says something of the target."""
        return self.p95_ms if self.basis in ("native", "proxy") else None

    @property
    def usable_cold_start_ms(self) -> Interval | None:
        """From process start to the first answer, where it says something of the target."""
        return self.cold_start_ms if self.basis in ("native", "proxy") else None


def check_variant(target: Target, evidence: VariantEvidence, gates: Gates = _NONE) -> tuple[Check, ...]:
    """Run every gate of the target on one variant: build, quality slice by slice, limits, objective.

    A limit on the bundle is checked only where a bundle was made; `unchecked` names it else.

    Raises:
        BadInputError: if the evaluation is of another artifact.
    """
    if not evidence.built:
        status: Status = "not measured" if evidence.basis == "not measured" else "fail"
        why = evidence.problem or evidence.basis_reason or "no reason was given"
        return (Check("build", status, "not built", "built", why),)
    ported = (check_ported(entry) for entry in evidence.ported if entry.basis != "not measured")
    return (
        *_check_quality(evidence),
        *check_figures(gates, evidence.figures, evidence.problem),
        *_check_limits(target, evidence),
        *_check_objective(target, evidence),
        *ported,
    )


def unchecked(target: Target, evidence: VariantEvidence) -> tuple[str, ...]:
    """Name what nothing was measured for and that does not block."""
    unmade = target.limits.bundle_unzipped_mib is not None and evidence.bundle_unzipped_bytes is None
    notes = ["bundle_unzipped_mib (no bundle was made)"] if unmade else []
    notes += [
        f"answers on {one.isa} ({one.problem})" for one in evidence.ported if one.basis == "not measured"
    ]
    return tuple(notes)


def _check_quality(evidence: VariantEvidence) -> tuple[Check, ...]:
    result = evidence.evaluation
    if result is None:
        why = evidence.problem or "no evaluation of this artifact was given"
        return (Check("quality", "not measured", "not measured", "every slice", why),)
    if result.subject != evidence.artifact_digest:
        raise BadInputError(
            f"variant {evidence.variant}: the evaluation is of artifact {result.subject[:12]}, "
            f"not of {evidence.artifact_digest[:12]}; evaluate this one"
        )
    routed = evidence.routing
    if routed is not None and routed.subject != evidence.artifact_digest:
        raise BadInputError(
            f"variant {evidence.variant}: the routing is of artifact {routed.subject[:12]}, "
            f"not of {evidence.artifact_digest[:12]}; evaluate this one"
        )
    return check_slices(evidence.judged)


def _check_limits(target: Target, evidence: VariantEvidence) -> list[Check]:
    limits, why = target.limits, _why_unmeasured(evidence)
    real = evidence.basis in ("native", "proxy")
    checks = []
    if limits.p95_ms is not None:
        checks.append(check_p95_ms(evidence.usable_p95_ms, limits.p95_ms, why))
    if limits.cold_start_ms is not None:
        checks.append(check_cold_start_ms(evidence.usable_cold_start_ms, limits.cold_start_ms, why))
    if limits.peak_rss_mib is not None:
        checks.append(check_peak_rss_mib(evidence.peak_rss_bytes if real else None, limits.peak_rss_mib, why))
    if limits.artifact_mib is not None:
        checks.append(check_artifact_mib(evidence.artifact_bytes, limits.artifact_mib, evidence.recipe))
    if limits.bundle_unzipped_mib is not None and evidence.bundle_unzipped_bytes is not None:
        checks.append(check_bundle_unzipped_mib(evidence.bundle_unzipped_bytes, limits.bundle_unzipped_mib))
    return checks


def _check_objective(target: Target, evidence: VariantEvidence) -> tuple[Check, ...]:
    """Add a check only where the figure to choose by is missing and no limit says so already."""
    timed = {
        "p95_ms": (target.limits.p95_ms, evidence.usable_p95_ms),
        "cold_start_ms": (target.limits.cold_start_ms, evidence.usable_cold_start_ms),
    }
    limit, found = timed.get(target.objective, (0.0, None))
    if limit is None and found is None:
        name, why = target.objective, _why_unmeasured(evidence)
        return (Check("objective", "not measured", f"no {name}", name, why),)
    if target.objective == "quality" and evidence.evaluation is not None:
        overall = evidence.overall
        if overall is None or overall.value is None:
            why = "the evaluation has no row in a slice named overall"
            return (Check("objective", "not measured", "no quality", "quality overall", why),)
    return ()


def _why_unmeasured(evidence: VariantEvidence) -> str:
    if evidence.basis == "emulated":
        return f"emulation gives answers, no times or memory: {evidence.basis_reason}".removesuffix(": ")
    return evidence.problem or evidence.basis_reason
