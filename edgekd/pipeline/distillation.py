"""What a project asks of its distillation, held against its rows and students."""

from __future__ import annotations

from edgekd.data.slices import select_rows
from edgekd.data.taskdata import TaskData
from edgekd.errors import ConfigError
from edgekd.pipeline.context import Context


def check_distillation(context: Context, data: TaskData) -> None:
    """Refuse what fits neither rows nor students, before anything costs time.

    Raises:
        EdgekdError: in one line.
    """
    features = context.project.distillation.features
    for model in context.students if features and not features.output else ():
        if features and model.kind != "static" and model.training.epochs <= features.epochs:
            raise ConfigError(
                f"distillation.features: {features.epochs} of {model.name}'s {model.training.epochs} epochs "
                "leave none to learn answers in; lower features.epochs or raise training.epochs"
            )
    teacher, settings = context.project.teacher, context.project.distillation
    asked = {"alpha_of", "rare_classes", "class_weights", "origin", "reviewed", "alpha_of_slice", "ambiguous"}
    if settings.checkpoint is not None:
        from edgekd.distill.training.limits import check_limits, list_limits

        learner = context.task.learning.as_taught(data.outputs, settings, critical_classes(context))
        check_limits(list_limits(settings.checkpoint), learner, data.split("validation").targets)
    if not any(entry.model_dump(include=asked, exclude_defaults=True) for entry in (teacher, settings)):
        return
    from edgekd.distill.weighing import bound_soft, weigh_rows  # torch: two seconds

    context.task.learning.from_rows(data.outputs, teacher, "teacher")
    weigh_rows(data.split("train"), teacher, "teacher")
    context.task.learning.as_taught(data.outputs, settings)
    weighing = weigh_rows(data.split("train"), settings, "distillation")
    if settings.alpha_of_slice:
        bound_soft(weighing, data.split("train"), context.project.slices, settings.alpha_of_slice, 0)
    if settings.ambiguous is not None and settings.ambiguous.where is not None:
        select_rows(data.split("train"), settings.ambiguous.where, "distillation.ambiguous")


def critical_classes(context: Context) -> list[str]:
    """Return the classes whose recall must be proven: a checkpoint is chosen by it, too."""
    proven = (one for one in context.project.slices if one.tier == "prove")
    return sorted({name for one in proven for name in one.classes})
