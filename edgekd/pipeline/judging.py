"""Stages that judge: answers on the test split, latency and memory, quality per slice, the gate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgekd.compile import Artifact, open_artifact
from edgekd.compile.artifact import read_fitted
from edgekd.config import Build, Target
from edgekd.data.slices import select_traffic, slice_masks
from edgekd.data.taskdata import TaskData
from edgekd.engines.step import Step
from edgekd.errors import ArtifactError
from edgekd.evaluate.arrays import Served
from edgekd.evaluate.classify.routing import Routed
from edgekd.evaluate.predictions import Predictions
from edgekd.evaluate.scorer import JudgedRows
from edgekd.evaluate.teacher_floor import TeacherFloor
from edgekd.gate.carving import list_carved
from edgekd.gate.evidence import VariantEvidence
from edgekd.gate.learned import count_learned
from edgekd.gate.promotion import current
from edgekd.gate.rows import JudgedTexts, slice_rows
from edgekd.gate.terms import Terms, find_barred
from edgekd.gate.verdict import GateVerdict
from edgekd.measure.basis import find_basis
from edgekd.pipeline.answering import answer_stage, read_served
from edgekd.pipeline.bench import Bench
from edgekd.pipeline.compiling import Variant
from edgekd.pipeline.context import Context
from edgekd.pipeline.deriving import Answered, Case, decide, derive_all, quality_checks
from edgekd.pipeline.figures import find_ages, find_cost, find_people
from edgekd.pipeline.holding import find_held
from edgekd.pipeline.ordering import order_of_testing
from edgekd.pipeline.porting import find_foreign, port_artifact
from edgekd.pipeline.trial import Trial
from edgekd.report.bench import cost_usd


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
    fp32: dict[str, str]
    """Name of the reference that is each variant's own student in fp32; without those that have none."""
    rows: JudgedTexts = field(default_factory=dict)
    """Digests of the test rows in each slice."""
    barred: Mapping[str, str] = field(default_factory=dict)
    """Artifacts that were taken back and may not be promoted again, with the reason."""
    held: Mapping[str, Routed | None] = field(default_factory=dict)
    """What the version serves that keeps some of a variant's slices, by variant."""


def find_incumbent(context: Context, data: TaskData, target: Target) -> Artifact | None:
    """Open what is promoted for a target now, if today's test rows can judge it."""
    found = current(context.registry, context.project.name, target.name)
    if found is None:
        return None
    try:
        artifact = open_artifact(found[1])
    except ArtifactError as error:
        context.note(f"{target.name}: the promoted artifact is damaged and is left out: {error}")
        return None
    if not context.task.takes(artifact.head, data.outputs):
        context.note(f"{target.name}: the promoted artifact knows other labels and is left out")
        return None
    test = data.split("test").texts
    if seen := count_seen(context, target, artifact, test):
        context.note(
            f"{target.name}: the promoted artifact was made from {seen:,} of today's {len(test):,} test "
            "texts, so they cannot judge it and it is left out"
        )
        return None
    return artifact


def count_seen(context: Context, target: Target, artifact: Artifact, texts: Sequence[str]) -> int:
    """Count the test texts that a promoted artifact, or one that keeps slices for it, was made from.

    Where the project lets splits share texts it is 0.
    """
    if context.project.data.allow_shared_text:
        return 0
    holder = read_fitted(artifact.path).routing.get("incumbent", {})
    digests = {artifact.digest, holder.get("artifact", artifact.digest)}
    return max(
        count_learned(context.registry, context.project.name, target.name, digest, texts)
        for digest in digests
    )


@dataclass(frozen=True)
class Contest:
    """What a target's variants are judged with.

    Attributes:
        incumbent: what is promoted, if it can be judged.
        teacher_under: floors that the teacher misses on validation rows.
        again: a person's word that what was taken back may be promoted again.
    """

    target: Target
    variants: tuple[Variant, ...]
    incumbent: Artifact | None
    references: dict[str, Predictions]
    bench: Bench
    teacher_under: tuple[TeacherFloor, ...] = ()
    again: bool = False

    @property
    def everyone(self) -> tuple[Variant, ...]:
        """The variants, and the incumbent where it is none of them."""
        incumbent = self.incumbent
        if incumbent is None or incumbent.digest in {v.artifact.digest for v in self.variants if v.artifact}:
            return self.variants
        build = Build(runtime=incumbent.runtime, recipe=incumbent.recipe)
        name = f"incumbent.{incumbent.digest[:8]}"
        return (*self.variants, Variant(name, incumbent.student, build, incumbent))


def judge(context: Context, data: TaskData, teacher: Step, contest: Contest) -> Judged:
    """Judge a target's variants, and its incumbent among them, on the test split.

    Validation rows say in which order they are tested, and have chosen every policy before. What would be
    promoted must answer alike on other instruction sets: it is asked there, then judged again.
    """
    target, references, bench = contest.target, contest.references, contest.bench
    test, everyone = data.split("test"), contest.everyone
    order = order_of_testing(context, data, everyone, teacher, target)
    artifacts = {variant.name: variant.artifact for variant in everyone if variant.artifact}
    folders = {name: answer_stage(context, artifact).path for name, artifact in artifacts.items()}
    trial = open_trial(context, test, references, bench)
    held = {name: _held(context, target, test, artifact, references) for name, artifact in artifacts.items()}
    answered = {
        name: read_answered(artifact, folders[name], test, references, held[name])
        for name, artifact in artifacts.items()
    }
    known = [_known(context, target, variant, bench) for variant in everyone]
    derived, served = derive_all(trial, [(entry, answered.get(entry.variant)) for entry in known])
    evidence = _add_costs(context, data, target, bench, derived)
    before = None if contest.incumbent is None else contest.incumbent.digest
    rows = slice_rows(trial.texts, trial.rows)
    barred = find_barred(
        context.registry,
        context.project.name,
        target.name,
        {artifact.digest: artifact.answers_digest for artifact in artifacts.values()},
        Terms(rows=rows, again=contest.again),
    )
    case = Case(target, before, order, barred, contest.teacher_under)
    evidence, verdict = _decide_ported(context, trial, case, artifacts.values(), evidence, served)
    _tell_uncarved(context, target, evidence, verdict)
    fp32 = {name: own for name, found in answered.items() if (own := found.fp32)}
    seen = everyone, tuple(evidence)
    return Judged(target, *seen, verdict, folders, order, before, fp32, rows, barred, held)


def _add_costs(
    context: Context, data: TaskData, target: Target, bench: Bench, derived: Sequence[VariantEvidence]
) -> list[VariantEvidence]:
    """Add the figures that follow from prices and from the training rows; say what was carved out."""
    ages = find_ages(context, data.split("train"))
    evidence = []
    for entry in derived:
        figures = dict(entry.figures)
        if entry.built:
            cost = cost_usd(bench.result, bench.names[entry.artifact_digest], target)
            figures |= find_cost(context, entry.routing, cost)
        if entry.carved:
            context.note(f"{entry.variant}: carved out on validation rows: {', '.join(entry.carved)}")
        evidence.append(replace(entry, figures={**figures, **ages}))
    return evidence


def _decide_ported(
    context: Context,
    trial: Trial,
    case: Case,
    artifacts: Iterable[Artifact],
    evidence: list[VariantEvidence],
    served: Mapping[str, Served],
) -> tuple[list[VariantEvidence], GateVerdict]:
    """Judge; what is chosen answers on other instruction sets, and is judged again with that."""
    foreign = find_foreign(case.target.hardware, trial.bench.result.environment)
    by_digest = {artifact.digest: artifact for artifact in artifacts}
    asked: set[str] = set()
    while True:
        verdict = decide(trial, case, evidence, served)
        chosen = verdict.promoted_digest
        if chosen is None or chosen in asked or not foreign:
            return evidence, verdict
        asked.add(chosen)
        ported = port_artifact(context, by_digest[chosen], foreign)
        evidence = [
            replace(entry, ported=ported) if entry.artifact_digest == chosen else entry for entry in evidence
        ]


def open_trial(context: Context, test: TaskData, references: dict[str, Predictions], bench: Bench) -> Trial:
    """Gather what every artifact is judged on and by."""
    return Trial(
        rows=JudgedRows(
            test.targets,
            test.outputs,
            context.project.slices,
            slice_masks(test, context.project.slices),
            select_traffic(test, context.project.data.sample),
        ),
        texts=test.texts,
        scorer=context.task.scorer,
        gates=context.project.gates,
        references=references,
        bench=bench,
        people=find_people(context),
    )


def _tell_uncarved(
    context: Context, target: Target, evidence: Sequence[VariantEvidence], verdict: GateVerdict
) -> None:
    """Say which slices validation rows left with the student and the test rows do not: no second look."""
    allowed = () if context.project.routing is None else context.project.routing.carve_out
    for entry, judged in zip(evidence, verdict.variants, strict=True):
        if entry.variant.startswith("incumbent."):
            continue
        for check in quality_checks(judged):
            name = check.name.partition(" ")[2].partition(":")[0]
            if name in allowed and name not in entry.carved and check.status in ("fail", "inconclusive"):
                context.note(
                    f"{target.name}: {entry.variant}: slice '{name}' may be carved out, but validation rows "
                    "proved it and the test rows do not; test rows only judge, so it stays with the student. "
                    "Add validation rows, or put it under routing.risky"
                )


def _held(
    context: Context, target: Target, test: TaskData, artifact: Artifact, references: dict[str, Predictions]
) -> Routed | None:
    taught = context.task.scorer.serve(references["teacher"])
    return find_held(context, target, test, artifact, taught, "answer")


def read_answered(
    artifact: Artifact,
    folder: Path,
    test: TaskData,
    references: dict[str, Predictions],
    held: Routed | None = None,
) -> Answered:
    """Read an artifact's answers, and name its own student among the references.

    That is the one with the weights that it was compiled from: the incumbent's may be other weights under the
    same name, and then there is none.
    """
    calibration = read_fitted(artifact.path)
    reference = references.get(artifact.student)
    is_own = reference is not None and reference.subject == artifact.manifest["provenance"].get("student")
    return Answered(
        read_served(artifact.path, artifact.digest, folder, test),
        calibration.temperature,
        calibration.routing or None,
        artifact.student if is_own else None,
        held,
    )


def _known(context: Context, target: Target, variant: Variant, bench: Bench) -> VariantEvidence:
    """Begin a variant's evidence with what does not follow from its answers or samples."""
    basis, reason = find_basis(target.hardware, bench.result.environment)
    artifact, setting = variant.artifact, context.project.routing
    carved: tuple[str, ...] = ()
    if artifact is not None and setting is not None:
        policy = read_fitted(artifact.path).routing
        carved = list_carved(policy, setting.carve_out, setting.risky)
    return VariantEvidence(
        variant=variant.name,
        student=variant.student,
        runtime=variant.build.runtime,
        recipe=variant.build.label,
        artifact_digest="" if artifact is None else artifact.digest,
        artifact_bytes=0 if artifact is None else artifact.size_bytes,
        p50_ms=None,
        p95_ms=None,
        cold_start_ms=None,
        peak_rss_bytes=None,
        basis=basis,
        basis_reason=reason,
        evaluation=None,
        built=artifact is not None,
        problem=variant.problem,
        carved=carved,
        bias=variant.bias,
    )
