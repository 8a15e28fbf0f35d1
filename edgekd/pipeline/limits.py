"""What checkpoints and shapes of a project cannot do, said before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence

from edgekd.config import EncoderModel, StudentModel
from edgekd.engines.look import find_made
from edgekd.pipeline.context import Context
from edgekd.pipeline.learning import find_own_weights
from edgekd.pipeline.road import plan_learning


def check_limits(context: Context) -> None:
    """Hold the teacher and the students that are still to be made against their checkpoints.

    Costs the start of torch and transformers where something is to be made, and nothing where all is cached.

    Raises:
        ConfigError: in one line.
        MissingExtraError: if a library is not installed.
    """
    ahead = plan_learning(context)
    made = find_made(context.store, [ahead.teacher, ahead.guide, *ahead.students.values()])
    students = [model for model in context.students if ahead.students[model.name] not in made]
    if ahead.teacher in made and ahead.guide in made and not students:
        return
    from edgekd.distill.limits import check_encoder

    teacher, through = context.teacher, context.through
    written = f"teacher.model: '{context.project.teacher.model}'"
    check_encoder(_find(context, teacher), teacher.max_tokens, written, "teacher.max_tokens")
    if through is not None:
        written = f"teacher.through: '{through.name}'"
        check_encoder(_find(context, through), through.max_tokens, written, "max_tokens in its model file")
    _check_students(context, students, through or teacher)


def _check_students(context: Context, students: Sequence[StudentModel], guide: EncoderModel) -> None:
    from edgekd.distill.limits import check_students

    found = {model.name: find_own_weights(context, model) for model in students}
    own = {name: location for name, location in found.items() if location is not None}
    check_students(students, _find(context, guide), own, context.project.distillation.features)


def _find(context: Context, model: EncoderModel) -> str:
    from edgekd.distill.weights import find_weights

    return find_weights(model.weights, context.folder)
