"""Choose the student for a budget: short trainings, extrapolated, and the finalists measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from edgekd.config import Target
from edgekd.data.taskdata import TaskData
from edgekd.engines.step import Step
from edgekd.pipeline.context import Context
from edgekd.pipeline.finalists import measure_finalists
from edgekd.pipeline.labelling import LabelledTexts, label_stage
from edgekd.pipeline.learning import through_step
from edgekd.pipeline.retaking import retake
from edgekd.pipeline.run import run_labels
from edgekd.pipeline.rungs import RungJudge
from edgekd.pipeline.sized import place_front
from edgekd.sizing.budget import LIMITED, Budget, Cost
from edgekd.sizing.front import Front, Point, find_binding, make_front
from edgekd.sizing.front_file import save_front, write_model_file
from edgekd.sizing.halving import Ladder, plan_ladder
from edgekd.sizing.quality import Quality
from edgekd.sizing.search import Asked, Judge, search
from edgekd.sizing.shapes import Shape

STUDENTS, RUNGS = 24, 3
_LEAST_ROWS, _MOST_ROWS = 500, 4000  # of the first rung
_NEAR = 1.5
"""Times a limit beyond which a shape is not tried: no slightly larger budget would open it."""
_ROUNDS = 8
"""Measurements after which only what was measured is recommended."""

Priced = Sequence[tuple[Shape, Cost]]
"""Shapes with what each is thought to cost."""


@dataclass(frozen=True, eq=False)
class Taught:
    """What a search knows: how good students get, with the steps behind it.

    Attributes:
        data: The project's rows.
        teacher: Step of the teacher that drops are against.
        qualities: Of each student that was tried, by its name.
        judge: Made the rungs.
        ladder: How far each went.
    """

    data: TaskData
    teacher: Step
    qualities: dict[str, Quality]
    judge: RungJudge
    ladder: Ladder


def size_target(context: Context, target: Target, budget: Budget, priced: Priced) -> Front:
    """Search, recommend, and measure what is recommended; keeps the answer and writes the model file.

    Where nothing fits nothing is trained, and the front says which limit binds.

    Raises:
        EdgekdError: with its exit code; what had finished stays in the store.
    """
    priced = list_near(priced, budget)
    counted = [(shape.name, {name: cost.of(name).value for name in budget.limits}) for shape, cost in priced]
    if all(_exceeds(cost, budget, 1.0) for _, cost in priced):
        binding = find_binding(budget, counted)
        reasons = (binding.words,) if binding else ()
        front = Front(target.name, budget, (), reasons=reasons, binding=binding)
    else:
        taught = teach(context, priced, tuple(dict.fromkeys(("p95_ms", *budget.limits))))
        front = settle(context, target, budget, taught, list_points(priced, taught))
    if front.recommended is not None:
        write_model_file(front.recommended.shape.model, context.folder)
        words = _name_missing_build(target, front.recommended.shape)
        front = replace(front, reasons=(*front.reasons, *words))
    save_front(front, place_front(context, target.name))
    return front


def _name_missing_build(target: Target, shape: Shape) -> tuple[str, ...]:
    """Say what a target's file lacks of a shape that a range file builds otherwise than the target does."""
    if shape.build in target.builds and shape.threads == target.threads:
        return ()
    build = ", ".join(
        f"{key}: {value}" for key, value in shape.build.model_dump(exclude_defaults=True).items()
    )
    return (
        f"targets/{target.name}.yaml builds no such variant: give it threads: {shape.threads} and the build "
        f"{{{build}}}.",
    )


def list_near(priced: Priced, budget: Budget) -> Priced:
    """Leave out shapes that exceed a limit by far; all are left in where nothing comes near."""
    near = [(shape, cost) for shape, cost in priced if not _exceeds(cost, budget, _NEAR)]
    return near or priced


def teach(
    context: Context,
    priced: Priced,
    figures: Sequence[str] = LIMITED,
    ladder: Ladder | None = None,
    whole_rows: int | None = None,
) -> Taught:
    """Go as far as the labels, then teach students rung by rung.

    Args:
        context: The project.
        priced: Shapes to choose from; builds of one student are several.
        figures: Figures of cost by which one student is cheaper than another, p95 first.
        ladder: How many begin, and how far each rung goes; 24 and three rungs where it is None.
        whole_rows: Rows that the training shows that drops are told for; None as each student's own says.
    """
    results = run_labels(context)
    guide, labels = _find_guide(context, results.data, results.teacher_step, results.labels)
    models = {shape.model.name: shape.model for shape, _ in priced}
    costs: dict[str, list[tuple[float, ...]]] = {name: [] for name in models}
    for shape, cost in priced:
        costs[shape.model.name].append(tuple(cost.of(name).value for name in figures))
    rows = _count_rows(labels)
    if ladder is None:
        first = min(_MOST_ROWS, max(_LEAST_ROWS, rows))
        ladder = plan_ladder(min(STUDENTS, len(models)), first, RUNGS)
    judge = RungJudge(context, results.data, results.teacher_step, (guide, labels.step))
    asked = Asked(
        tuple(models.values()),
        costs,
        ladder,
        {name: whole_rows or model.training.epochs * rows for name, model in models.items()},
        len(results.data.split("train")),
        context.project.seed,
    )
    make: Judge = partial(judge.judge, ladder)
    found = {quality.student: quality for quality in search(asked, make, context.note)}
    return Taught(results.data, results.teacher_step, found, judge, ladder)


def list_points(priced: Priced, taught: Taught) -> list[Point]:
    """Join what shapes cost with how good their students get; those that were not tried are left out."""
    return [
        Point(shape, cost, taught.qualities[shape.model.name])
        for shape, cost in priced
        if shape.model.name in taught.qualities
    ]


def settle(
    context: Context, target: Target, budget: Budget, taught: Taught, points: Sequence[Point]
) -> Front:
    """Recommend by predictions, measure what is recommended, and again until that is measured."""
    by_name = {point.shape.name: point for point in points}
    front = make_front(target.name, budget, list(by_name.values()))
    for _ in range(_ROUNDS):
        finalists = [p for p in (front.recommended, front.runner_up) if p is not None and not p.measured]
        if front.recommended is None or front.recommended.measured:
            return front
        found = measure_finalists(context, taught.data, taught.teacher, target, taught.judge, finalists)
        for name, point in found.items():
            if point is None:
                del by_name[name]
            else:
                by_name[name] = point
        front = make_front(target.name, budget, list(by_name.values()))
    return make_front(target.name, budget, [point for point in by_name.values() if point.measured])


def _find_guide(
    context: Context, data: TaskData, teacher: Step, labels: LabelledTexts
) -> tuple[Step, LabelledTexts]:
    if context.through is None:
        return teacher, labels
    guide = retake(context, through_step(context, teacher, labels.step, context.through))
    return guide, label_stage(context, data, guide)


def _count_rows(labels: LabelledTexts) -> int:
    """Count the rows of one pass."""
    from edgekd.distill.softlabels import WantedLists, open_texts

    learn = open_texts(labels.texts.path).learn
    return len(learn.requests if isinstance(learn, WantedLists) else learn.texts)


def _exceeds(cost: Cost, budget: Budget, times: float) -> bool:
    """Say whether a shape is predicted to exceed so many times a limit."""
    return any(cost.of(name).value > times * limit for name, limit in budget.limits.items())
