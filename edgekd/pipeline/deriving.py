"""Derive evidence and verdict from answers and raw samples; runs and replays judge by these functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from edgekd.config import Target
from edgekd.config.gates import Gates
from edgekd.evaluate.arrays import Served
from edgekd.evaluate.drop import paired_drop
from edgekd.evaluate.judge import evaluate
from edgekd.evaluate.predictions import Predictions
from edgekd.evaluate.result import Drop, EvalResult
from edgekd.evaluate.routing import Routed, RoutingResult, judge_routing, route_rows
from edgekd.evaluate.scorer import JudgedRows, Scorer
from edgekd.gate.evidence import VariantEvidence
from edgekd.gate.figures import asked_figures
from edgekd.gate.verdict import GateVerdict, judge_target
from edgekd.pipeline.bench import Bench, in_ms
from edgekd.pipeline.figures import derive_figures, find_fallback
from edgekd.stats.interval import Interval


@dataclass(frozen=True, eq=False)
class Trial:
    """What all variants of a target are judged on and by.

    Attributes:
        rows, texts: the test rows.
        scorer: of the task.
        references: answers in PyTorch float32: the teacher's under `teacher`, students' under their names.
        people: figures of what people said, by name.
    """

    rows: JudgedRows
    texts: Sequence[str]
    scorer: Scorer
    gates: Gates
    references: Mapping[str, Predictions]
    bench: Bench
    people: Mapping[str, Interval] = field(default_factory=dict)


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
    asked = asked_figures(trial.gates)
    figures = {
        **derive_figures(asked, trial.rows, trial.scorer, predictions, trial.references["teacher"]),
        **trial.scorer.figures(asked, trial.rows, predictions, answered.temperature),
        **find_fallback(asked, routing),
    }
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


def decide(
    trial: Trial,
    target: Target,
    evidence: Sequence[VariantEvidence],
    served: Mapping[str, Served],
    incumbent: str | None,
    order: Sequence[str],
    barred: Mapping[str, str],
) -> GateVerdict:
    """Judge a target's variants; `served` are the answers that a user gets, by the artifact's digest.

    `barred` says of artifacts that were taken back why they may not be promoted again.
    """
    overall = next(part for part in trial.scorer.select(trial.rows) if part.slice.name == "overall")

    def quality_drop(reference: str, candidate: str) -> Drop:
        values = [overall.values(served[digest], trial.rows.truth) for digest in (reference, candidate)]
        return paired_drop("other", values[0], values[1])

    ratio = trial.bench.cold_start_ratio if target.objective == "cold_start_ms" else trial.bench.ratio
    return judge_target(target, evidence, incumbent, ratio, quality_drop, order, trial.gates, barred)
