"""The order of stages. This is the one file that knows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edgekd.compile import Artifact
from edgekd.config import Build, Hardware, Target
from edgekd.data.shared import describe_shared
from edgekd.data.taskdata import TaskData
from edgekd.errors import (
    ConfigError,
    EdgekdError,
    HarmedError,
    MissingRuntimeError,
    SliceError,
    StaleError,
    unknown_name,
)
from edgekd.evaluate.predictions import Predictions
from edgekd.evaluate.teacher_floor import TeacherFloor
from edgekd.export import Graph
from edgekd.measure.basis import find_basis
from edgekd.measure.environment import read_environment
from edgekd.pipeline.answering import baseline_stage, reference_stage
from edgekd.pipeline.bench import Bench, bench_stage
from edgekd.pipeline.beside import helped
from edgekd.pipeline.biasing import teacher_answers
from edgekd.pipeline.compiling import Variant, compile_stage, compile_target, export_stage, name_origin
from edgekd.pipeline.context import Context
from edgekd.pipeline.diagnosing import write_capacity
from edgekd.pipeline.figures import find_ages
from edgekd.pipeline.forecast import forecast
from edgekd.pipeline.judging import Judged, find_incumbent, judge
from edgekd.pipeline.labelling import Labels, label_share, label_stage
from edgekd.pipeline.learning import (
    check_distillation,
    distil_stage,
    load_and_compare_stage,
    teacher_stage,
)
from edgekd.pipeline.needs import (
    ADAPTING,
    EXPORTING,
    JUDGING,
    LEARNING,
    REPORTING,
    RUNNING,
    require_libraries,
)
from edgekd.pipeline.preflight import examine
from edgekd.pipeline.promoting import SILENT, Word, promote_target, write_evidence
from edgekd.pipeline.restoring import find_restored
from edgekd.pipeline.routing import check_routing, decide_stage
from edgekd.pipeline.rundir import place_files, sweep, write_config
from edgekd.pipeline.staging import is_first_process, process_count
from edgekd.pipeline.teacher_floor import find_teacher_floors
from edgekd.pipeline.view import build_report
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
    teacher: Stage
    labels: Labels
    teacher_floors: tuple[TeacherFloor, ...] = ()
    """What the teacher reaches on validation rows, for each slice with a floor."""
    students: dict[str, Stage] = field(default_factory=dict)
    variants: dict[str, tuple[Variant, ...]] = field(default_factory=dict)
    compiled_teachers: dict[int, Artifact] = field(default_factory=dict)
    """By threads: in ONNX Runtime, fp32."""
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
    targets = _choose_targets(context, only)
    measurable = _measurable(targets)
    _refuse_unmeasurable(targets, measurable, only)
    step = STEPS.index(until)
    _require(context, measurable, step)
    for target in measurable if word.expects is not None else ():
        find_promoted(context, target, word.expects)  # refused before anything costs time
    data = _load(context)
    if step >= STEPS.index("distill") and process_count() == 1:
        for line in forecast(context, data, measurable if step >= STEPS.index("compile") else ()).lines:
            context.note(line)
    results = _learn(context, data, step)
    test = data.split("test")
    if not is_first_process():  # only training is for several
        return results
    if step >= STEPS.index("compile"):
        _find_incumbents(context, results, measurable, word)
        builds = {(build.runtime, build.label) for target in measurable for build in target.builds}
        with helped(context, until, only, len(builds) * len(results.students)) as compiling:
            _compile(compiling, results, measurable)
            if step >= STEPS.index("bench"):
                _compile_teacher(compiling, results, measurable)
    if step >= STEPS.index("bench"):
        _bench(context, results, measurable)
    if step >= STEPS.index("evaluate"):
        references = results.references
        references["teacher"] = teacher_answers(context, data, results.teacher, "test")
        for name, student in results.students.items():
            references[name] = reference_stage(context, test, student, name)
        for target in measurable:
            variants, bench = results.variants[target.name], results.benches[target.threads]
            incumbent = results.incumbents[target.name]
            under = tuple(floor for floor in results.teacher_floors if floor.is_under)
            results.judged[target.name] = judge(
                context,
                data,
                target,
                variants,
                incumbent,
                results.teacher,
                references,
                bench,
                under,
                word.again,
            )
        baseline = baseline_stage(context, data)
        results.report = build_report(
            context, data, results.teacher, results.students, targets, results.judged, results.benches,
            references["teacher"], baseline, command,
        )  # fmt: skip
    with locked(context.workspace / "locks" / context.run_folder.name):
        _write(context, results, step, word)
    return results


def compile_backwards(context: Context, until: str, only: tuple[str, ...]) -> None:
    """Compile what a run compiles, beginning where it ends; see `edgekd.pipeline.beside`."""
    measurable = _measurable(_choose_targets(context, only))
    results = _learn(context, _load(context), STEPS.index("distill"))
    results.students = dict(reversed(results.students.items()))
    if STEPS.index(until) >= STEPS.index("bench"):
        _compile_teacher(context, results, measurable)
    _find_incumbents(context, results, measurable)
    backwards = [t.model_copy(update={"builds": t.builds[::-1]}) for t in reversed(measurable)]
    _compile(context, results, backwards)


def run_share(context: Context, share: Share) -> int:
    """Go as far as the teacher, then label one share of the texts; returns how many were labelled."""
    _require(context, [], STEPS.index("label"))
    data = _load(context)
    teacher = teacher_stage(context, data)
    find_teacher_floors(context, data, teacher)
    return label_share(context, data, teacher, share)


def _load(context: Context) -> TaskData:
    _ = context.students, context.teacher  # read the files before anything costs time
    data, shared = load_and_compare_stage(context)
    found = examine(context, data, shared)
    for line in describe_shared(shared):
        context.note(f"data: {line}")
    if not found.rows["overall"]:
        raise SliceError("slice 'overall': matches no row of the test split; widen its where")
    for line in found.warnings:
        context.note(f"warning: {line}")
    check_distillation(context, data)
    check_routing(context, data)
    find_ages(context, data.split("train"))  # a wrong date is said now
    return data


def _learn(context: Context, data: TaskData, step: int) -> Results:
    teacher = teacher_stage(context, data)
    floors = find_teacher_floors(context, data, teacher)
    results = Results(data, teacher, label_stage(context, data, teacher), floors)
    if step >= STEPS.index("distill"):
        for model in context.students:
            results.students[model.name] = distil_stage(context, data, teacher, results.labels, model)
    return results


def _compile(context: Context, results: Results, targets: list[Target]) -> None:
    data, teacher = results.data, results.teacher
    graphs = {name: export_stage(context, data, s, name) for name, s in results.students.items()}
    origins = {name: name_origin(data, teacher, s) for name, s in results.students.items()}

    def restored(graph: Graph, build: Build, hardware: Hardware) -> tuple[str, ...]:
        student = results.students[graph.student]
        return find_restored(context, data, teacher, student, graph, build, hardware)

    for target in targets:
        compiled = compile_target(context, data, graphs, target, origins, restored)
        held = results.incumbents[target.name]
        results.variants[target.name] = tuple(
            decide_stage(context, data, teacher, variant, target, held) for variant in compiled
        )


def _compile_teacher(context: Context, results: Results, targets: list[Target]) -> None:
    """Compile the teacher for ONNX Runtime in fp32, which its students are measured beside.

    No build of a target has a say in it, so that it is the same whatever the order of targets and builds.
    """
    graph = export_stage(context, results.data, results.teacher, "teacher")
    build = Build(runtime="onnxruntime", recipe="fp32")
    for group in _by_threads(targets).values():
        hardware = group[0].hardware.model_copy(update={"isa": ()})
        origin = name_origin(results.data, results.teacher, results.teacher)
        reference = compile_stage(context, results.data, graph, build, hardware, origin).artifact
        assert reference is not None, "the exported teacher's parity was proven"
        results.compiled_teachers[group[0].threads] = reference


def _by_threads(targets: list[Target]) -> dict[int, list[Target]]:
    threads = sorted({target.threads for target in targets})
    return {count: [target for target in targets if target.threads == count] for count in threads}


def _write(context: Context, results: Results, step: int, word: Word) -> None:
    folder = context.run_folder
    sweep(folder)
    write_config(context)
    for name, stage in {"teacher": results.teacher, **results.students}.items():
        place_files(stage.path / "logs", folder / "logs" / name)
        if name != "teacher":
            place_files(stage.path, folder / "students" / name)
    place_files(results.labels.values.path / "logs", folder / "logs" / "label")
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


def _bench(context: Context, results: Results, measurable: list[Target]) -> None:
    for threads, group in _by_threads(measurable).items():
        artifacts = [v.artifact for t in group for v in results.variants[t.name] if v.artifact]
        artifacts += [held for t in group if (held := results.incumbents[t.name]) is not None]
        reference = results.compiled_teachers[threads]
        results.benches[threads] = bench_stage(
            context, results.data, results.teacher, reference, artifacts, threads
        )


def _require(context: Context, targets: list[Target], step: int) -> None:
    """Refuse a build that nothing here can make, and a step whose libraries are missing."""
    needs = [*LEARNING, *(ADAPTING if context.project.teacher.lora else ())]
    needs += EXPORTING if step >= STEPS.index("compile") else ()
    needs += JUDGING if step >= STEPS.index("evaluate") else ()
    needs += REPORTING if step >= STEPS.index("report") else ()
    for target in targets:
        for build in target.builds:
            recipe = load_plugin("recipes", build.recipe)
            if build.runtime not in list_plugins("runtimes"):
                known = list_plugins("runtimes")
                raise ConfigError(f"target {target.name}: {unknown_name('runtime', build.runtime, known)}")
            needs += (
                (*recipe.LIBRARIES, *RUNNING.get(build.runtime, (build.runtime,)))
                if step >= STEPS.index("compile")
                else ()
            )
    require_libraries(needs)


def _measurable(targets: tuple[Target, ...]) -> list[Target]:
    here = read_environment(1)
    return [target for target in targets if find_basis(target.hardware, here)[0] != "not measured"]


def _choose_targets(context: Context, only: tuple[str, ...]) -> tuple[Target, ...]:
    names = [target.name for target in context.targets]
    for name in only:
        if name not in names:
            raise ConfigError(unknown_name("target", name, names))
    return tuple(t for t in context.targets if not only or t.name in only)


def _refuse_unmeasurable(
    targets: tuple[Target, ...], measurable: list[Target], only: tuple[str, ...]
) -> None:
    here = read_environment(1)
    for target in targets:
        if target.name in only and target not in measurable:
            reason = find_basis(target.hardware, here)[1]
            raise MissingRuntimeError(f"target {target.name}: cannot be measured here: {reason}")
