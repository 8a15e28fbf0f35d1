"""What a run would do, said before it does anything: its steps, and which of them the cache has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgekd.compile import Artifact
from edgekd.config import Target
from edgekd.engines.look import Seen, find_made, look
from edgekd.engines.step import Folder, Part, Step
from edgekd.measure.environment import read_environment
from edgekd.pipeline.answering import (
    WORDS,
    answer_step,
    artifact_step,
    baseline_step,
    reference_step,
)
from edgekd.pipeline.bench import bench_step, find_wider
from edgekd.pipeline.biasing import bias_step
from edgekd.pipeline.compiling import artifact_of, model_of, open_built
from edgekd.pipeline.context import Context
from edgekd.pipeline.judging import find_incumbent
from edgekd.pipeline.opening import TEACHER, open_rows
from edgekd.pipeline.porting import find_foreign
from edgekd.pipeline.road import Ahead, Learning, plan_learning, plan_teacher, plan_variants
from edgekd.pipeline.targets import by_threads, find_measurable
from edgekd.store import Stage


@dataclass(frozen=True)
class Later:
    """Work that a run may have to do, and what decides it when the run is there."""

    name: str
    decides: str


@dataclass(frozen=True)
class RunPlan:
    """The steps of a run in an order in which they can be made, and what it decides on the way."""

    steps: tuple[Seen, ...]
    later: tuple[Later, ...]

    @property
    def to_run(self) -> list[Seen]:
        """The steps that are not in the cache."""
        return [seen for seen in self.steps if seen.stage is None]


def plan_run(context: Context, only: tuple[str, ...]) -> RunPlan:
    """Plan a run for targets that are measurable here; nothing is made, started or written.

    Raises:
        EdgekdError: as `run` does before it begins.
    """
    _, targets = find_measurable(context, only)
    learning = plan_learning(context)
    incumbents = _find_incumbents(context, targets)
    variants = {
        target.name: plan_variants(
            context, learning.teacher, learning.students, target, incumbents[target.name]
        )
        for target in targets
    }
    last = [variant.last for ahead in variants.values() for variant in ahead]
    made = find_made(context.store, last)
    steps = [
        *_learning_steps(context, learning),
        *last,
        *(plan_teacher(context, learning.teacher, target) for target in targets),
        *_bench_steps(context, learning, targets, variants, incumbents, made),
        *_answer_steps(context, learning, variants, incumbents),
    ]
    seen = (_measured_wider(context, step) for step in look(context.store, steps))
    return RunPlan(tuple(seen), _find_later(learning, targets))


def describe_plan(plan: RunPlan) -> tuple[str, ...]:
    """Say it in lines for people: one for each step, then a sum."""
    lines = [f"{seen.step.name}: {_describe(seen)}" for seen in plan.steps]
    lines += [f"{later.name}: decided later: {later.decides}" for later in plan.later]
    known = [seen.seconds for seen in plan.to_run if seen.seconds is not None]
    cached = len(plan.steps) - len(plan.to_run)
    before = f"; {len(known)} of these took {sum(known):.1f} s before" if known else ""
    return (*lines, f"{len(plan.steps)} steps: {cached} cached, {len(plan.to_run)} to run{before}")


def _describe(seen: Seen) -> str:
    if seen.stage is not None:
        return "cached" if seen.seconds is None else f"cached; took {seen.seconds:.1f} s"
    return "to run" if seen.seconds is None else f"to run; took {seen.seconds:.1f} s before"


def _learning_steps(context: Context, learning: Learning) -> list[Step]:
    """List what is made up to the students, with what the teacher is judged by where there are floors."""
    bias = bias_step(context, learning.teacher)
    taught = [] if learning.guide is learning.teacher else [learning.guide]
    return [
        learning.teacher,
        *([bias] if bias else []),
        *taught,
        learning.labels,
        *learning.students.values(),
    ]


def _bench_steps(
    context: Context,
    learning: Learning,
    targets: Sequence[Target],
    variants: Mapping[str, Sequence[Ahead]],
    incumbents: Mapping[str, Artifact | None],
    made: Mapping[Step, Stage],
) -> list[Step]:
    steps = []
    for threads, group in by_threads(targets).items():
        last = [variant.last for target in group for variant in variants[target.name]]
        artifacts: list[Part | Folder]
        if all(step in made for step in last):  # then it is known which of them are one and the same
            built = [open_built(made[step].path) for step in last]
            built += [held for target in group if (held := incumbents[target.name]) is not None]
            unique = {artifact.digest: artifact.path for artifact in built}
            artifacts = [Folder(unique[digest], digest) for digest in sorted(unique)]
        else:
            artifacts = [artifact_of(step) for step in dict.fromkeys(last)]
        compiled = artifact_of(plan_teacher(context, learning.teacher, group[0]))
        steps.append(bench_step(context, learning.teacher, compiled, artifacts, threads))
    return steps


def _measured_wider(context: Context, seen: Seen) -> Seen:
    """Where more artifacts than a measurement's were measured together already, that is its result."""
    made = find_made(context.store, seen.step.sources) if seen.step.alone and seen.stage is None else {}
    if not made or not set(seen.step.sources) <= made.keys():
        return seen
    stage = find_wider(context.store, seen.step, made)
    return seen if stage is None else Seen(seen.step, stage, stage.seconds)


def _answer_steps(
    context: Context,
    learning: Learning,
    variants: Mapping[str, Sequence[Ahead]],
    incumbents: Mapping[str, Artifact | None],
) -> list[Step]:
    steps = [
        answer_step(context, variant.name, model_of(variant.compiled), word)  # a policy changes no logit
        for ahead in variants.values()
        for variant in ahead
        for word in WORDS
    ]
    held = [artifact for artifact in incumbents.values() if artifact is not None]
    steps += [artifact_step(context, artifact, word) for artifact in held for word in WORDS]
    models = {TEACHER: learning.teacher, **learning.students}
    steps += [reference_step(context, source, name, "test") for name, source in models.items()]
    by_words = baseline_step(context)
    return steps if by_words is None else [*steps, by_words]


def _find_incumbents(context: Context, targets: Sequence[Target]) -> dict[str, Artifact | None]:
    """Open what is promoted; where the rows are not read yet, nobody knows whether these can judge it."""
    data = find_made(context.store, [context.data]).get(context.data)
    if data is None:
        return dict.fromkeys(target.name for target in targets)
    rows = open_rows(data.path)
    return {target.name: find_incumbent(context, rows, target) for target in targets}


def _find_later(learning: Learning, targets: Sequence[Target]) -> tuple[Later, ...]:
    here = read_environment(1)
    later = []
    if not learning.labelled:
        later.append(Later("labeller", "the number of texts without a label, and how long the teacher takes"))
    for target in targets:
        if foreign := find_foreign(target.hardware, here):
            decides = f"which variant {target.name} would promote, unless a proof spares it"
            later.append(Later(f"port/{', '.join(foreign)}", decides))
    return tuple(later)
