"""Stages that judge: answers on the test split, latency and memory, quality per slice, the gate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgekd.compile import Artifact, open_artifact
from edgekd.config import Target
from edgekd.data.slices import slice_masks
from edgekd.data.taskdata import TaskData
from edgekd.errors import ArtifactError
from edgekd.evaluate.judge import evaluate, paired_drop
from edgekd.evaluate.predictions import Predictions, load_predictions
from edgekd.evaluate.result import Drop, EvalResult
from edgekd.gate.evidence import VariantEvidence
from edgekd.gate.promotion import current
from edgekd.gate.verdict import GateVerdict, judge_target
from edgekd.measure.basis import find_basis
from edgekd.pipeline.answering import LOGITS, answer_stage
from edgekd.pipeline.bench import Bench, in_ms
from edgekd.pipeline.compiling import Variant
from edgekd.pipeline.context import Context
from edgekd.pipeline.figures import find_ages, find_figures
from edgekd.pipeline.ordering import order_of_testing
from edgekd.pipeline.porting import find_foreign, port_artifact
from edgekd.pipeline.routing import carve_stage, find_carved, judge_route
from edgekd.report.bench import cost_usd
from edgekd.serving.calibrate import read_calibration


@dataclass(frozen=True)
class Judged:
    """A target's evidence and verdict."""

    target: Target
    variants: tuple[Variant, ...]
    evidence: tuple[VariantEvidence, ...]
    verdict: GateVerdict
    answers: dict[str, Path]
    """Folder of each built variant's answers to the test rows."""
    order: tuple[str, ...]
    """Built variants in the order of testing."""
    incumbent: str | None
    """Digest of what was promoted before."""


def find_incumbent(context: Context, data: TaskData, target: Target) -> Artifact | None:
    """Open what is promoted for a target now, if it answers the same task."""
    found = current(context.registry, context.project.name, target.name)
    if found is None:
        return None
    try:
        artifact = open_artifact(found[1])
    except ArtifactError as error:
        context.note(f"{target.name}: the promoted artifact is damaged and is left out: {error}")
        return None
    if tuple(artifact.manifest["labels"]) != data.labels:
        context.note(f"{target.name}: the promoted artifact knows other labels and is left out")
        return None
    return artifact


def judge(
    context: Context,
    data: TaskData,
    target: Target,
    variants: tuple[Variant, ...],
    incumbent: Artifact | None,
    references: dict[str, Predictions],
    bench: Bench,
) -> Judged:
    """Judge a target's variants, and its incumbent among them, on the test split.

    Validation rows say in which order they are tested. What would be promoted must answer alike on other
    instruction sets: it is asked there, then judged again.
    """
    test = data.split("test")
    everyone = list(variants)
    if incumbent is not None and incumbent.digest not in {v.artifact.digest for v in variants if v.artifact}:
        build = target.builds[0].model_copy(update={"runtime": incumbent.runtime, "recipe": incumbent.recipe})
        everyone.append(Variant(f"incumbent.{incumbent.digest[:8]}", incumbent.student, build, incumbent))
    masks = slice_masks(test, context.project.slices)
    folders = {v.name: answer_stage(context, test, v.artifact).path for v in everyone if v.artifact}
    answers = {
        v.artifact.digest: load_predictions(folders[v.name] / LOGITS, test.ids)
        for v in everyone
        if v.artifact
    }
    order = order_of_testing(context, data.split("validation"), everyone)
    ages = find_ages(context, data.split("train"))
    evidence = []
    for place, variant in enumerate(everyone):
        found = _evidence(context, test, target, variant, answers, references, masks, bench)
        slices = find_carved(context.project.routing, found.routing)
        if slices and variant in variants:
            everyone[place] = carved = carve_stage(context, variant, slices)
            _answer_alike(context, test, variant, carved, answers, folders, bench)
            found = _evidence(context, test, target, carved, answers, references, masks, bench)
            found = replace(found, carved=slices)
        evidence.append(replace(found, figures={**found.figures, **ages}))
    artifacts = {variant.artifact.digest: variant.artifact for variant in everyone if variant.artifact}
    foreign = find_foreign(target.hardware, bench.result.environment)

    def quality_drop(reference: str, candidate: str) -> Drop:
        rows, truth = masks["overall"], test.classes
        hits = [(answers[d].labels == truth)[rows] for d in (reference, candidate)]
        return paired_drop("other", hits[0], hits[1])

    held = None if incumbent is None else incumbent.digest
    asked: set[str] = set()
    while True:
        ratio = bench.cold_start_ratio if target.objective == "cold_start_ms" else bench.ratio
        verdict = judge_target(target, evidence, held, ratio, quality_drop, order, context.project.gates)
        digest = verdict.promoted_digest
        if digest is None or digest in asked or not foreign:
            return Judged(target, tuple(everyone), tuple(evidence), verdict, folders, order, held)
        asked.add(digest)
        ported = port_artifact(context, test, artifacts[digest], foreign, answers[digest])
        evidence = [
            replace(entry, ported=ported) if entry.artifact_digest == digest else entry for entry in evidence
        ]


def _answer_alike(
    context: Context,
    test: TaskData,
    before: Variant,
    after: Variant,
    answers: dict[str, Predictions],
    folders: dict[str, Path],
    bench: Bench,
) -> None:
    """Take over what was measured of a model whose policy alone has changed, and answer with it."""
    assert before.artifact is not None and after.artifact is not None
    bench.names[after.artifact.digest] = bench.names[before.artifact.digest]
    folders[after.name] = answer_stage(context, test, after.artifact).path
    answers[after.artifact.digest] = load_predictions(folders[after.name] / LOGITS, test.ids)


def _evidence(
    context: Context,
    test: TaskData,
    target: Target,
    variant: Variant,
    answers: dict[str, Predictions],
    references: dict[str, Predictions],
    masks: dict[str, npt.NDArray[np.bool_]],
    bench: Bench,
) -> VariantEvidence:
    basis, reason = find_basis(target.hardware, bench.result.environment)
    artifact = variant.artifact
    if artifact is None:
        return VariantEvidence(
            variant.name, variant.student, variant.build.runtime, variant.build.label, "", 0,
            None, None, None, None, basis, reason, None, built=False, problem=variant.problem,
        )  # fmt: skip
    compared = {"teacher": references["teacher"]}
    if variant.student in references:
        compared["fp32"] = references[variant.student]
    name = bench.names[artifact.digest]
    temperature = read_calibration(artifact.path / "calibration.json").temperature
    routing = judge_route(context, test, artifact, answers[artifact.digest], references["teacher"])
    evaluation: EvalResult = evaluate(
        answers[artifact.digest],
        compared,
        test.classes,
        test.labels,
        context.project.slices,
        masks,
        temperature=temperature,
    )
    return VariantEvidence(
        variant=variant.name,
        student=variant.student,
        runtime=variant.build.runtime,
        recipe=variant.build.label,
        artifact_digest=artifact.digest,
        artifact_bytes=artifact.size_bytes,
        p50_ms=in_ms(bench.result.percentile(name, 0.5)),
        p95_ms=in_ms(bench.result.percentile(name, 0.95)),
        cold_start_ms=bench.result.cold_start_ms(name),
        peak_rss_bytes=bench.result.peak_rss_bytes(name),
        basis=basis,
        basis_reason=reason,
        evaluation=evaluation,
        built=True,
        routing=routing,
        figures=find_figures(
            context,
            test,
            masks["overall"],
            answers[artifact.digest],
            references["teacher"],
            temperature,
            routing,
            cost_usd(bench.result, name, target),
        ),
    )
