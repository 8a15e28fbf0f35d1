"""Stages that judge: answers on the test split, latency and memory, quality per slice, the gate."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
from edgekd.measure.bench_file import load_bench
from edgekd.measure.environment import read_environment
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.result import BenchResult
from edgekd.measure.session import measure_subjects
from edgekd.measure.subject import Subject
from edgekd.pipeline.answering import LOGITS, answer_stage
from edgekd.pipeline.compiling import Variant
from edgekd.pipeline.context import Context
from edgekd.pipeline.porting import find_foreign, port_artifact
from edgekd.pipeline.staging import run_stage
from edgekd.progress import Progress
from edgekd.serving import load
from edgekd.stats.interval import Interval
from edgekd.store import Stage, digest_json

TEACHER, TEACHER_ONNX = "teacher.pytorch-eager", "teacher.onnxruntime.fp32"


@dataclass(frozen=True)
class Bench:
    """One interleaved measurement: its result, its files, and each artifact's name in it by digest."""

    result: BenchResult
    stage: Stage
    names: dict[str, str]

    def ratio(self, one: str, other: str, q: float = 0.95) -> Interval:
        """Ratio of two artifacts' percentiles; without bounds where it cannot be told."""
        return self._known(self.result.ratio(self.names[one], self.names[other], q))

    def cold_start_ratio(self, one: str, other: str) -> Interval:
        """Ratio of two artifacts' cold starts; without bounds where it cannot be told."""
        return self._known(self.result.cold_start_ratio(self.names[one], self.names[other]))

    def _known(self, found: Interval | None) -> Interval:
        return found or Interval(1.0, 0.0, math.inf, self.result.plan.confidence)


@dataclass(frozen=True)
class Judged:
    """A target's evidence and verdict."""

    target: Target
    variants: tuple[Variant, ...]
    evidence: tuple[VariantEvidence, ...]
    verdict: GateVerdict
    answers: dict[str, Path]
    """Folder of each built variant's answers to the test rows."""


def bench_stage(
    context: Context,
    data: TaskData,
    teacher: Stage,
    teacher_onnx: Artifact,
    artifacts: Sequence[Artifact],
    threads: int,
) -> Bench:
    """Measure the teacher and every artifact that shares a thread count, in one interleaved run."""
    unique = {artifact.digest: artifact for artifact in artifacts}
    names = {
        digest: f"{a.student}.{a.runtime}.{a.recipe}@{digest[:8]}" for digest, a in sorted(unique.items())
    }
    texts = _spread(data.split("validation"), context.project.measure.inputs)
    setting = context.project.measure
    plan = MeasurePlan(
        rounds=setting.rounds,
        seconds=setting.seconds,
        threads=threads,
        precision=setting.precision,
        budget_seconds=setting.budget_seconds,
    )
    reads = {
        "teacher": [teacher.digest, teacher_onnx.digest],
        "artifacts": sorted(unique),
        "texts": digest_json(texts),
        "plan": [plan.rounds, plan.seconds, plan.threads, plan.precision, plan.budget_seconds],
        "environment": read_environment(threads).fingerprint,
    }
    of = "edgekd.serving.subject:open_subject"
    subjects = [
        Subject(TEACHER, "edgekd.distill.eager:open_eager", (str(teacher.path), str(threads))),
        Subject(TEACHER_ONNX, of, (str(teacher_onnx.path), str(threads))),
        *(Subject(names[d], of, (str(a.path), str(threads))) for d, a in sorted(unique.items())),
    ]

    def build(folder: Path, progress: Progress) -> None:
        scored = {names[d]: _answers(a, texts, threads) for d, a in unique.items()}
        measure_subjects(subjects, texts, folder, plan, progress, expected=scored)

    stage = run_stage(context, f"bench/{threads}-threads", 2, reads, build)
    return Bench(load_bench(stage.path), stage, {**names, teacher_onnx.digest: TEACHER_ONNX})


def _answers(artifact: Artifact, texts: Sequence[str], threads: int) -> list[str]:
    """Answer texts as they are scored: what the timed calls must answer, too."""
    model = load(artifact.path, threads=threads)
    return [repr(model(text)) for text in texts]


def _spread(rows: TaskData, count: int) -> list[str]:
    texts = rows.texts
    step = max(1, len(texts) // count)
    return texts[::step][:count]


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
    test: TaskData,
    target: Target,
    variants: tuple[Variant, ...],
    incumbent: Artifact | None,
    references: dict[str, Predictions],
    bench: Bench,
) -> Judged:
    """Judge a target's variants, and its incumbent among them, on the test split.

    What would be promoted must answer alike on other instruction sets: it is asked there, then judged again.
    """
    everyone = variants
    if incumbent is not None and incumbent.digest not in {v.artifact.digest for v in variants if v.artifact}:
        build = target.builds[0].model_copy(update={"runtime": incumbent.runtime, "recipe": incumbent.recipe})
        everyone = (
            *variants,
            Variant(f"incumbent.{incumbent.digest[:8]}", incumbent.student, build, incumbent),
        )
    masks = slice_masks(test, context.project.slices)
    folders = {v.name: answer_stage(context, test, v.artifact).path for v in everyone if v.artifact}
    answers = {
        v.artifact.digest: load_predictions(folders[v.name] / LOGITS, test.ids)
        for v in everyone
        if v.artifact
    }
    evidence = tuple(_evidence(context, test, target, v, answers, references, masks, bench) for v in everyone)
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
        verdict = judge_target(target, evidence, held, ratio, quality_drop)
        digest = verdict.promoted_digest
        if digest is None or digest in asked or not foreign:
            return Judged(target, everyone, evidence, verdict, folders)
        asked.add(digest)
        ported = port_artifact(context, test, artifacts[digest], foreign, answers[digest])
        evidence = tuple(
            replace(entry, ported=ported) if entry.artifact_digest == digest else entry for entry in evidence
        )


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
    evaluation: EvalResult = evaluate(
        answers[artifact.digest],
        compared,
        test.classes,
        test.labels,
        context.project.slices,
        masks,
        temperature=load(artifact.path, verify=False).calibration.temperature,
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
    )


def in_ms(nanoseconds: Interval | None) -> Interval | None:
    """Convert an interval of nanoseconds to milliseconds."""
    if nanoseconds is None:
        return None
    low, high = nanoseconds.low / 1e6, nanoseconds.high / 1e6
    return Interval(nanoseconds.estimate / 1e6, low, high, nanoseconds.confidence)
