"""Judge the teacher on validation rows before anything is labelled or distilled from it."""

from __future__ import annotations

from edgekd.data.slices import select_traffic, slice_masks
from edgekd.data.taskdata import TaskData
from edgekd.engines.step import Step
from edgekd.evaluate.scorer import JudgedRows
from edgekd.evaluate.teacher_floor import TeacherFloor, judge_teacher
from edgekd.pipeline.answering import read_answers, reference_step
from edgekd.pipeline.biasing import describe_fit, teacher_fit
from edgekd.pipeline.context import Context
from edgekd.pipeline.opening import TEACHER


def find_teacher_floors(context: Context, data: TaskData, teacher: Step) -> tuple[TeacherFloor, ...]:
    """Return what the teacher reaches on each slice with a floor, and say at once where it is under one.

    It is judged without a decision bias: students learn from its probabilities, which a bias leaves as they
    are, and one fitted on these rows would hide here what it does not know. Without a floor nothing is asked.
    """
    slices = context.project.slices
    if not any(entry.at_least or entry.class_at_least or entry.at_most for entry in slices):
        return ()
    validation, train = (data.split(name) for name in ("validation", "train"))
    answers = context.engine.make(reference_step(context, teacher, TEACHER, "validation"))
    predicted = context.task.scorer.serve(read_answers(answers.path, validation))
    asked, taught = (
        JudgedRows(
            part.targets,
            data.outputs,
            slices,
            slice_masks(part, slices),
            select_traffic(part, context.project.data.sample),
        )
        for part in (validation, train)
    )
    floors = judge_teacher(predicted, asked, taught, context.task.scorer, context.project.teacher)
    for floor in floors:
        if floor.is_under or floor.value is None:
            context.note(floor.words)
    if fit := teacher_fit(context, teacher):
        for line in describe_fit("teacher", fit):
            context.note(line)
    return floors
