"""The steps of a project before anything is made: the models, and each variant of a target."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from edgekd.compile import Artifact, open_artifact
from edgekd.compile.choose import serves
from edgekd.config import Build, Target
from edgekd.config.project import Cascade
from edgekd.engines.look import find_made
from edgekd.engines.step import Step
from edgekd.errors import BuildError, DataError, ParityError
from edgekd.pipeline.answering import reference_step
from edgekd.pipeline.biasing import describe_fit, limited_slices, read_fit
from edgekd.pipeline.cascading import Compiled, cascade_step
from edgekd.pipeline.compiling import Trained, Variant, compile_step, name_variant, place_artifact
from edgekd.pipeline.context import Context
from edgekd.pipeline.exporting import export_step
from edgekd.pipeline.labelling import find_labels, label_step, texts_step
from edgekd.pipeline.learning import distil_step, teacher_step, through_step
from edgekd.pipeline.opening import TEACHER
from edgekd.pipeline.restoring import describe_restored, restore_step
from edgekd.pipeline.retaking import retake
from edgekd.pipeline.routing import decide_step, find_policy_holders

_NOT_YET = "some texts have no label yet"  # stands where the digest of the labels will
TOLERATED = (BuildError, ParityError)
"""What a variant may fail with: it is one without an artifact then."""


@dataclass(frozen=True)
class Learning:
    """The steps that learn; `labelled` says whether every text has a label already.

    `guide` is what students learn from: the teacher, or a model between.
    """

    teacher: Step
    guide: Step
    labels: Step
    students: Mapping[str, Step]
    labelled: bool


def plan_learning(context: Context) -> Learning:
    """List the steps up to the students, with the labels that are there now; nothing is made."""
    teacher = guide = teacher_step(context)
    labels, labelled = _plan_labels(context, teacher)
    if context.through is not None:
        guide = retake(context, through_step(context, teacher, labels, context.through))
        labels, labelled = _plan_labels(context, guide)
    students = {
        model.name: retake(context, distil_step(context, guide, labels, model)) for model in context.students
    }
    return Learning(teacher, guide, labels, students, labelled)


def _plan_labels(context: Context, teacher: Step) -> tuple[Step, bool]:
    """Return the step of a teacher's labels, and whether every text has one."""
    texts = texts_step(context, teacher)
    made = find_made(context.store, [context.data, teacher, texts])
    shards = None
    if len(made.keys() & {context.data, teacher, texts}) == 3:
        with suppress(OSError, ValueError, DataError):  # damaged, so texts will be labelled anew
            shards = find_labels(context, made[context.data].path, made[teacher], made[texts])
    return label_step(context, teacher, shards or _NOT_YET), shards is not None


@dataclass(frozen=True)
class Ahead:
    """A variant that is there or is to be made.

    `restored` finds what of it stays in fp32, and `decided` gives it its bias and policy, where it is asked.
    """

    name: str
    student: str
    build: Build
    compiled: Step
    restored: Step | None
    decided: Step | None

    @property
    def last(self) -> Step:
        """The step that writes what is served."""
        return self.decided or self.compiled


def plan_variants(
    context: Context, teacher: Step, students: Mapping[str, Step], target: Target, incumbent: Artifact | None
) -> tuple[Ahead, ...]:
    """List a target's variants; `students` are the steps that train, by name.

    Raises:
        ConfigError: a build does not go with the target's hardware.
        MissingExtraError: a library is not installed.
    """
    holders = find_policy_holders(context, target, incumbent)
    single = tuple(
        _plan_variant(context, _trained(context, teacher, students[name], name), build, target, holders)
        for name, build in list_builds(context, target)
        if name in students
    )
    return (*single, *_plan_cascades(context, single))


def _plan_cascades(context: Context, single: Sequence[Ahead]) -> Iterator[Ahead]:
    """List a target's cascades."""
    builds = [(ahead.student, ahead.build) for ahead in single]
    for entry in context.project.cascades:
        for before, after in _pair_builds(builds, entry):
            first, second = single[before], single[after]
            parts = Compiled(first.name, first.compiled), Compiled(second.name, second.compiled)
            name, student = f"{entry.first}+{second.name}", f"{entry.first}+{entry.second}"
            yield Ahead(name, student, second.build, cascade_step(context, *parts), None, None)


def _pair_builds(builds: Sequence[tuple[str, Build]], entry: Cascade) -> Iterator[tuple[int, int]]:
    """Pair each build of the second student with the first one of the first that needs no other engine."""
    for after, (second, build) in enumerate(builds):
        engines = build.runtime, "numpy"
        before = [
            place
            for place, (first, other) in enumerate(builds)
            if first == entry.first and other.runtime in engines
        ]
        if second == entry.second and before:
            yield before[0], after


def list_builds(context: Context, target: Target) -> list[tuple[str, Build]]:
    """List each student of the project with each build of a target that is for its kind."""
    kinds = {m.name: "static" if m.kind == "static" else "transformer" for m in context.students}
    return [(name, build) for name, kind in kinds.items() for build in target.builds if serves(build, kind)]


def count_variants(context: Context, target: Target) -> int:
    """Count a target's variants, cascades among them."""
    builds = list_builds(context, target)
    return len(builds) + sum(len(list(_pair_builds(builds, entry))) for entry in context.project.cascades)


def plan_teacher(context: Context, teacher: Step, target: Target) -> Step:
    """Compile the teacher for ONNX Runtime in fp32, which its students are measured beside.

    No build of a target has a say in it, so that it is the same whatever the order of targets and builds.
    """
    build = Build(runtime="onnxruntime", recipe="fp32")
    hardware = target.hardware.model_copy(update={"isa": ()})
    return compile_step(context, _trained(context, teacher, teacher, TEACHER), build, hardware)


def open_variants(
    context: Context, ahead: Iterable[Sequence[Ahead]], failed: Mapping[Step, Exception]
) -> list[tuple[Variant, ...]]:
    """Open what was made of targets' variants; `failed` says of the others why. Notes say what was found."""
    opened: dict[Step, Variant] = {}
    for variant in (variant for variants in ahead for variant in variants):
        if variant.last not in opened:
            opened[variant.last] = _open(context, variant, failed)
    return [tuple(opened[variant.last] for variant in variants) for variants in ahead]


def _plan_variant(
    context: Context, model: Trained, build: Build, target: Target, holders: Sequence[Artifact]
) -> Ahead:
    restored = None
    if build.restore:
        answers = (  # without a bias
            reference_step(context, model.teacher, TEACHER, "validation"),
            reference_step(context, model.source, model.name, "validation"),
        )
        restored = restore_step(context, model.name, (model.source, model.graph), answers, build)
    compiled = compile_step(context, model, build, target.hardware, restored)
    name = name_variant(model.name, build)
    decided = decide_step(context, model.teacher, name, compiled, holders)
    return Ahead(name, model.name, build, compiled, restored, decided)


def _trained(context: Context, teacher: Step, source: Step, name: str) -> Trained:
    return Trained(name, source, teacher, export_step(context, source, name))


def _open(context: Context, ahead: Ahead, failed: Mapping[Step, Exception]) -> Variant:
    if ahead.restored is not None and ahead.restored in context.engine.made:
        for line in describe_restored(ahead.restored.name, context.engine.made[ahead.restored].path):
            context.note(line)
    if ahead.last in failed:
        return Variant(ahead.name, ahead.student, ahead.build, None, str(failed[ahead.last]))
    path = context.engine.made[ahead.last].path
    artifact = open_artifact(place_artifact(path))
    if ahead.decided is None:
        return Variant(ahead.name, ahead.student, ahead.build, artifact)
    fit = read_fit(path)
    for line in describe_fit(ahead.name, fit):
        context.note(line)
    has_floors = bool(limited_slices(context.project.slices))
    return Variant(ahead.name, ahead.student, ahead.build, artifact, bias=fit if has_floors else None)
