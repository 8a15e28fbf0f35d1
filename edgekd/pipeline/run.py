"""The order of stages. This is the one file that knows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edgekd.compile import Artifact
from edgekd.compile.choose import choose_build, libraries_of
from edgekd.config import Target
from edgekd.data.shared import describe_shared
from edgekd.data.taskdata import TaskData
from edgekd.engines.process import is_first_process, process_count
from edgekd.engines.processes import Processes
from edgekd.engines.step import Step
from edgekd.errors import (
    ConfigError,
    EdgekdError,
    HarmedError,
    SliceError,
    StaleError,
    unknown_name,
)
from edgekd.evaluate.predictions import Predictions
from edgekd.evaluate.teacher_floor import TeacherFloor
from edgekd.pipeline.answering import (
    WORDS,
    artifact_step,
    baseline_step,
    read_answers,
    read_baseline,
    reference_step,
)
from edgekd.pipeline.bench import Bench, bench_artifacts
from edgekd.pipeline.biasing import teacher_answers
from edgekd.pipeline.cascading import check_cascades
from edgekd.pipeline.claims import claims_step, describe_claims, require_claims
from edgekd.pipeline.compiling import Variant
from edgekd.pipeline.context import Context
from edgekd.pipeline.diagnosing import write_capacity
from edgekd.pipeline.distillation import check_distillation
from edgekd.pipeline.facts import write_facts
from edgekd.pipeline.figures import find_ages
from edgekd.pipeline.forecast import forecast
from edgekd.pipeline.going import going_on
from edgekd.pipeline.judging import Contest, Judged, find_incumbent, judge
from edgekd.pipeline.labelling import LabelledTexts, label_share, label_stage
from edgekd.pipeline.learning import (
    distil_step,
    load_and_compare_stage,
    teacher_step,
    through_step,
)
from edgekd.pipeline.limits import check_limits
from edgekd.pipeline.needs import (
    ADAPTING,
    EXPORTING,
    JUDGING,
    LEARNING,
    REPORTING,
    RUNNING,
    require_libraries,
)
from edgekd.pipeline.opening import TEACHER
from edgekd.pipeline.preflight import examine
from edgekd.pipeline.promoting import SILENT, Word, promote_target, write_evidence
from edgekd.pipeline.retaking import retake
from edgekd.pipeline.road import TOLERATED, open_variants, plan_teacher, plan_variants
from edgekd.pipeline.routing import check_routing
from edgekd.pipeline.rundir import place_files, sweep, write_config
from edgekd.pipeline.targets import by_threads, find_measurable
from edgekd.pipeline.teacher_floor import find_teacher_floors
from edgekd.pipeline.view import Shown, build_report
from edgekd.pipeline.withdrawing import find_promoted
from edgekd.plugins import list_plugins, load_plugin
from edgekd.report.view import RunReport
from edgekd.store import Stage, locked

if TYPE_CHECKING:
    from edgekd.distill.labels.share import Share

STEPS = ("label", "distill", "compile", "bench", "evaluate", "gate", "promote", "report")


@dataclass
class Results:
    """What a run has so far; a run that stops early leaves the later ones empty."""

    data: TaskData
    teacher_step: Step
    teacher: Stage
    labels: LabelledTexts
    claims: Stage | None = None
    """What became of the teacher's claims, where the project holds them against records."""
    teacher_floors: tuple[TeacherFloor, ...] = ()
    """What the teacher reaches on validation rows, for each slice with a floor."""
    student_steps: dict[str, Step] = field(default_factory=dict)
    students: dict[str, Stage] = field(default_factory=dict)
    variants: dict[str, tuple[Variant, ...]] = field(default_factory=dict)
    promoted: dict[str, str | None] = field(default_factory=dict)
    """Digest of what was promoted for each target before anything was compiled."""
    incumbents: dict[str, Artifact | None] = field(default_factory=dict)
    benches: dict[int, Bench] = field(default_factory=dict)
    references: dict[str, Predictions] = field(default_factory=dict)
    judged: dict[str, Judged] = field(default_factory=dict)
    report: RunReport | None = None


def run(context: Context, until: str, only: tuple[str, ...], command: str, word: Word = SILENT) -> Results:
    """Run the stages up to `until`, one of STEPS; `only` names targets that must be measurable.

    Raises:
        EdgekdError: with its exit code; what had finished stays in the cache.
    """
    targets, measurable = find_measurable(context, only)
    step = STEPS.index(until)
    _require(context, measurable, step)
    for target in measurable if word.expects is not None else ():
        find_promoted(context, target, word.expects)  # refused before anything costs time
    data = _load(context)
    if not is_first_process():  # only training is for several
        return _learn(context, data, step)
    write_config(context)  # whoever lists runs sees this one from now on
    with going_on(context.run_folder):
        results = _make(context, data, measurable, step, word)
        if step >= STEPS.index("evaluate"):
            results.report = _report(context, results, targets, command)
        with locked(context.workspace / "locks" / context.run_folder.name):
            _write(context, results, step, word)
    return results


def _make(context: Context, data: TaskData, measurable: list[Target], step: int, word: Word) -> Results:
    if step >= STEPS.index("distill") and process_count() == 1:
        for line in forecast(context, data, measurable if step >= STEPS.index("compile") else ()).lines:
            context.note(line)
    results = _learn(context, data, step)
    if step >= STEPS.index("compile"):
        _find_incumbents(context, results, measurable, word)
        _compile(context, results, measurable, step)
    if step >= STEPS.index("bench"):
        _bench(context, results, measurable)
    if step >= STEPS.index("evaluate"):
        _answer(context, results)
        for target in measurable:
            contest = Contest(
                target,
                results.variants[target.name],
                results.incumbents[target.name],
                results.references,
                results.benches[target.threads],
                tuple(floor for floor in results.teacher_floors if floor.is_under),
                word.again,
            )
            results.judged[target.name] = judge(context, data, results.teacher_step, contest)
    return results


def _report(context: Context, results: Results, targets: Sequence[Target], command: str) -> RunReport:
    by_words = baseline_step(context)
    baseline = None if by_words is None else read_baseline(context.engine.make(by_words).path)
    shown = Shown(
        results.teacher,
        results.students,
        tuple(targets),
        results.judged,
        results.benches,
        results.references[TEACHER],
        baseline,
    )
    return build_report(context, results.data, shown, command)


def run_share(context: Context, share: Share) -> int:
    """Go as far as the teacher, then label one share of the texts; returns how many were labelled."""
    _require(context, [], STEPS.index("label"))
    data = _load(context)
    teacher = teacher_step(context)
    find_teacher_floors(context, data, teacher)
    return label_share(context, data, teacher, share)


def run_labels(context: Context) -> Results:
    """Go as far as the labels, without a run's folder: what follows is no run of the project's students."""
    step = STEPS.index("label")
    _require(context, [], step)
    return _learn(context, _load(context), step)


def _load(context: Context) -> TaskData:
    _ = context.students, context.teacher, context.through  # read the files before anything costs time
    data, shared = load_and_compare_stage(context)
    found = examine(context, data, shared)
    for line in describe_shared(shared):
        context.note(f"data: {line}")
    if not found.rows["overall"]:
        raise SliceError("slice 'overall': matches no row of the test split; widen its where")
    for line in found.warnings:
        context.note(f"warning: {line}")
    check_distillation(context, data)
    require_claims(context, data)
    check_limits(context)
    check_routing(context, data)
    check_cascades(context)
    find_ages(context, data.split("train"))  # a wrong date is said now
    return data


def _learn(context: Context, data: TaskData, step: int) -> Results:
    teacher = teacher_step(context)
    stage = context.engine.make(teacher)
    floors = find_teacher_floors(context, data, teacher)
    guide, labels = teacher, label_stage(context, data, teacher)
    if context.through is not None and step >= STEPS.index("distill"):
        guide = retake(context, through_step(context, teacher, labels.step, context.through))
        labels = label_stage(context, data, guide)
    results = Results(data, teacher, stage, labels, teacher_floors=floors)
    claims = claims_step(context, guide, labels.step)
    if claims is not None:
        results.claims = context.engine.make(claims)
        context.note(describe_claims(results.claims))
    if step >= STEPS.index("distill"):
        for model in context.students:
            student = retake(context, distil_step(context, guide, labels.step, model))
            results.student_steps[model.name] = student
            results.students[model.name] = context.engine.make(student)
    return results


def _compile(context: Context, results: Results, targets: list[Target], step: int) -> None:
    teacher, students = results.teacher_step, results.student_steps
    ahead = [
        plan_variants(context, teacher, students, target, results.incumbents[target.name])
        for target in targets
    ]
    steps = [variant.last for variants in ahead for variant in variants]
    if step >= STEPS.index("bench"):
        steps += [plan_teacher(context, teacher, target) for target in targets]
    failed = Processes(context.engine).run_all(steps, TOLERATED)
    opened = open_variants(context, ahead, failed)
    results.variants |= {target.name: found for target, found in zip(targets, opened, strict=True)}


def _bench(context: Context, results: Results, targets: list[Target]) -> None:
    for threads, group in by_threads(targets).items():
        artifacts = [v.artifact for t in group for v in results.variants[t.name] if v.artifact]
        artifacts += [held for t in group if (held := results.incumbents[t.name]) is not None]
        compiled = plan_teacher(context, results.teacher_step, group[0])
        results.benches[threads] = bench_artifacts(
            context, results.teacher_step, compiled, artifacts, threads
        )


def _answer(context: Context, results: Results) -> None:
    """Have everyone answer the test rows, and artifacts the validation rows, too."""
    found = [v.artifact for variants in results.variants.values() for v in variants if v.artifact]
    found += [held for held in results.incumbents.values() if held is not None]
    unique = {artifact.digest: artifact for artifact in found}.values()
    references = {
        name: reference_step(context, source, name, "test")
        for name, source in {TEACHER: results.teacher_step, **results.student_steps}.items()
    }
    Processes(context.engine).run_all([artifact_step(context, a, word) for a in unique for word in WORDS])
    test = results.data.split("test")
    for name, reference in references.items():
        results.references[name] = read_answers(context.engine.make(reference).path, test)
    results.references[TEACHER] = teacher_answers(context, results.data, results.teacher_step, "test")


def _write(context: Context, results: Results, step: int, word: Word) -> None:
    folder = context.run_folder
    sweep(folder)
    write_config(context)
    for name, stage in {"teacher": results.teacher, **results.students}.items():
        place_files(stage.path / "logs", folder / "logs" / name)
        if name != "teacher":
            place_files(stage.path, folder / "students" / name)
    place_files(results.labels.values.path / "logs", folder / "logs" / "label")
    if results.claims is not None:
        place_files(results.claims.path / "logs", folder / "logs" / "claims")
        if results.student_steps:
            write_facts(context, results.data, results.teacher_step, results.student_steps, results.claims)
    refused: list[EdgekdError] = []
    for judged in results.judged.values():
        bench = results.benches[judged.target.threads]
        evidence = write_evidence(context, results.data.split("test"), judged, bench, results.references)
        if step >= STEPS.index("promote"):
            expects = results.promoted[judged.target.name]
            try:
                promote_target(
                    context, results.data, judged, bench, evidence, results.references, expects, word.again
                )
            except (StaleError, HarmedError) as error:  # of one target: the others are promoted all the same
                refused.append(error)
    if results.students:
        write_capacity(folder)
    if results.report is not None and step >= STEPS.index("report"):
        from edgekd.report.write import write_report

        write_report(results.report, folder)
    if refused:
        raise refused[0]


def _find_incumbents(context: Context, results: Results, targets: list[Target], word: Word = SILENT) -> None:
    """Look up once what is promoted: another run may promote while this one compiles and measures."""
    for target in targets:
        results.promoted[target.name] = find_promoted(context, target, word.expects)
        results.incumbents[target.name] = find_incumbent(context, results.data, target)


def _require(context: Context, targets: list[Target], step: int) -> None:
    """Refuse a build that nothing here can make, and a step whose libraries are missing."""
    adapted = [model for model in context.students if model.kind == "transformer" and model.lora]
    needs = [*LEARNING, *(ADAPTING if context.project.teacher.lora or adapted else ())]
    needs += EXPORTING if step >= STEPS.index("compile") else ()
    needs += JUDGING if step >= STEPS.index("evaluate") else ()
    needs += REPORTING if step >= STEPS.index("report") else ()
    for target in targets:
        for build in target.builds:
            recipe = load_plugin("recipes", build.recipe)
            if build.runtime not in list_plugins("runtimes"):
                known = list_plugins("runtimes")
                raise ConfigError(f"target {target.name}: {unknown_name('runtime', build.runtime, known)}")
            if step >= STEPS.index("compile"):
                needs += (*libraries_of(recipe, build.runtime), *RUNNING.get(build.runtime, (build.runtime,)))
    require_libraries(needs)
    if step >= STEPS.index("compile"):
        for target in targets:
            for build in target.builds:
                choose_build(build, target.hardware)
