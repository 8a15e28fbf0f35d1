"""Derive evidence and verdict from answers and raw samples; runs and replays judge by these functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from edgekd.config import Target
from edgekd.evaluate.arrays import Served
from edgekd.evaluate.classify.routing import Routed, RoutingResult, judge_routing, route_rows
from edgekd.evaluate.drop import paired_drop
from edgekd.evaluate.judge import evaluate
from edgekd.evaluate.predictions import Predictions
from edgekd.evaluate.result import Drop, EvalResult
from edgekd.evaluate.teacher_floor import TeacherFloor
from edgekd.gate.check import Check
from edgekd.gate.evidence import VariantEvidence
from edgekd.gate.verdict import GateVerdict, VariantVerdict, judge_target
from edgekd.pipeline.bench import in_ms
from edgekd.pipeline.figures import derive_figures
from edgekd.pipeline.trial import Trial


@dataclass(frozen=True, eq=False)
class Answered:
    """One artifact's answers to the test rows, and what decides what is served of them.

    Attributes:
        policy: of routing; None where the artifact answers everything itself.
        fp32: name of the reference that is its own student before compilation; None where there is none.
        held: what the version serves that some slices stay with; None where none does.
    """

    predictions: Predictions
    temperature: float
    policy: Mapping[str, Any] | None
    fp32: str | None
    held: Routed | None = None


def judge_answers(
    trial: Trial, artifact_digest: str, answered: Answered
) -> tuple[EvalResult, RoutingResult | None, Served]:
    """Judge an artifact's answers, alone and routed; with what is served for each row.

    With a policy that is the routed answer, the teacher's included.
    """
    predictions, teacher = answered.predictions, trial.references["teacher"]
    compared = {"teacher": teacher}
    if answered.fp32 is not None:
        # With the artifact's own bias: what compilation cost is asked, not what a bias does.
        compared["fp32"] = replace(trial.references[answered.fp32], bias=predictions.bias)
    evaluation = evaluate(predictions, compared, trial.rows, trial.scorer, temperature=answered.temperature)
    served, routing = trial.scorer.serve(predictions), None
    if answered.policy is not None:
        table = predictions.probabilities(answered.temperature)
        bias = None if predictions.bias is None else predictions.bias / answered.temperature
        routed = route_rows(
            answered.policy,
            trial.rows.outputs,
            trial.texts,
            table,
            teacher.labels,
            trial.rows.masks,
            bias,
            answered.held,
        )
        served = routed.labels
        routing = judge_routing(artifact_digest, answered.policy, routed, teacher.labels, trial.rows)
    return evaluation, routing, served


def derive_evidence(
    trial: Trial, known: VariantEvidence, answered: Answered
) -> tuple[VariantEvidence, Served]:
    """Fill in all that follows from answers and samples; `known` keeps the rest.

    Returns the evidence, and what is served for each row.
    """
    predictions = answered.predictions
    evaluation, routing, served = judge_answers(trial, known.artifact_digest, answered)
    figures = derive_figures(trial, predictions, answered.temperature, routing)
    measured, name = trial.bench.result, trial.bench.names[known.artifact_digest]
    evidence = replace(
        known,
        evaluation=evaluation,
        routing=routing,
        figures={**known.figures, **figures, **trial.people},
        p50_ms=in_ms(measured.percentile(name, 0.5)),
        p95_ms=in_ms(measured.percentile(name, 0.95)),
        cold_start_ms=measured.cold_start_ms(name),
        peak_rss_bytes=measured.peak_rss_bytes(name),
    )
    return evidence, served


@dataclass(frozen=True)
class Case:
    """What a target's gate is asked, beside the evidence.

    Attributes:
        incumbent: digest of what was promoted before.
        order: the built variants in the order of testing.
        barred: artifacts that were taken back and may not be promoted again, with the reason.
        teacher_under: floors that the teacher misses on validation rows.
    """

    target: Target
    incumbent: str | None
    order: Sequence[str]
    barred: Mapping[str, str]
    teacher_under: tuple[TeacherFloor, ...]


Entry = tuple[VariantEvidence, Answered | None]
"""What is known of a variant before anything is derived, and its answers; None where it was not built."""


def derive_all(trial: Trial, entries: Sequence[Entry]) -> tuple[list[VariantEvidence], dict[str, Served]]:
    """Derive the evidence of a target's variants, in their order.

    Returns it with the answers that a user gets, by the artifact's digest.
    """
    evidence, served = [], {}
    for known, answered in entries:
        entry = known
        if answered is not None:
            entry, served[known.artifact_digest] = derive_evidence(trial, known, answered)
        evidence.append(entry)
    return evidence, served


def decide(
    trial: Trial, case: Case, evidence: Sequence[VariantEvidence], served: Mapping[str, Served]
) -> GateVerdict:
    """Judge a target's variants by what `derive_all` returned of them."""
    overall = next(part for part in trial.scorer.select(trial.rows) if part.slice.name == "overall")

    def quality_drop(reference: str, candidate: str) -> Drop:
        values = [overall.values(served[digest], trial.rows.truth) for digest in (reference, candidate)]
        return paired_drop("other", values[0], values[1])

    target = case.target
    ratio = trial.bench.cold_start_ratio if target.objective == "cold_start_ms" else trial.bench.ratio
    verdict = judge_target(
        target, evidence, case.incumbent, ratio, quality_drop, case.order, trial.gates, case.barred
    )
    return replace(verdict, teacher_under=case.teacher_under)


def quality_checks(verdict: VariantVerdict) -> list[Check]:
    """Return what the gate found of a variant's slices."""
    return [check for check in verdict.checks if check.is_of_quality and check.slice]
