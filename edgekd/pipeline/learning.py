"""Stages that learn: data, teacher, students; each cached by all that it reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekd.config import StudentModel
from edgekd.data.load import describe_source, load_and_compare
from edgekd.data.shared import SharedTexts
from edgekd.data.taskdata import TaskData, open_data, save_data
from edgekd.errors import ConfigError
from edgekd.pipeline.answering import reference_stage
from edgekd.pipeline.context import Context, library_versions
from edgekd.pipeline.labelling import Labels
from edgekd.pipeline.staging import is_first_process, run_stage, run_stage_together
from edgekd.progress import Progress
from edgekd.store import Stage, digest_json, write_atomic

if TYPE_CHECKING:
    from edgekd.distill.examples import Session

_DISTIL_VERSION = {"transformer": 5, "narrow": 2, "static": 8}
_LIBRARIES = ("torch", "transformers", "tokenizers", "numpy")


def load_stage(context: Context) -> TaskData:
    """Read, check and split the rows."""
    return load_and_compare_stage(context)[0]


def load_and_compare_stage(context: Context) -> tuple[TaskData, SharedTexts]:
    """Read, check and split the rows, and say which texts stand in more than one place."""
    project = context.project
    source = describe_source(project.data, context.folder)
    reads = {"data": project.data.model_dump(mode="json"), "source": source, "seed": project.seed}

    def build(folder: Path, progress: Progress) -> None:
        data, shared = load_and_compare(project.data, context.folder, project.seed, context.task.reader)
        save_data(data, folder)
        write_atomic(folder / "shared.json", json.dumps(shared.to_json(), ensure_ascii=False, indent=1))

    path = run_stage(context, "data", 2, reads, build).path
    shared = SharedTexts.from_json(json.loads((path / "shared.json").read_text(encoding="utf-8")))
    return open_data(path, context.task.reader), shared


def teacher_stage(context: Context, data: TaskData) -> Stage:
    """Fine-tune the teacher, or take it as it is."""
    from edgekd.distill.weights import describe_weights, find_weights

    project, model = context.project, context.teacher
    location = find_weights(model.weights, context.folder)
    reads = {
        "model": model.model_dump(mode="json"),
        "weights": describe_weights(location),
        "fine_tune": project.teacher.fine_tune,
        "labels": list(data.labels),
        "rows": _digest(data, "train", "validation") if project.teacher.fine_tune else "",
        "seed": project.seed,
        "threads": project.threads,
        "libraries": library_versions(*_LIBRARIES),
    }
    lora = project.teacher.lora
    if lora is not None:
        reads["lora"] = {**lora.model_dump(mode="json"), "libraries": library_versions("peft")}
    if project.teacher.pairs:
        reads["pairs"] = [project.teacher.pairs, library_versions("scikit-learn")]
    if project.teacher.emphasis:  # the key of a teacher whose rows all count alike knows nothing of it
        reads["emphasis"] = project.teacher.emphasis

    def build(folder: Path, progress: Progress) -> None:
        from edgekd.distill.examples import Examples, Lesson
        from edgekd.distill.fine_tune import Checkpoint, adopt, fine_tune
        from edgekd.distill.learners.classify import classify_rows
        from edgekd.distill.weighing import weigh_rows

        pairs, name = project.teacher.pairs, model.name
        checkpoint = Checkpoint(name, location, model.max_tokens, model.training, lora, pairs)
        learner = classify_rows(data.labels, project.teacher, "teacher")
        if not project.teacher.fine_tune:
            adopt(checkpoint, learner, folder)
            return
        train, rows = data.split("train"), data.split("validation")
        by_target = learner.weigh(train.classes)
        weighing = weigh_rows(train, project.teacher, "teacher", by_target=by_target)
        learn, validation = (Examples(part.texts, part.classes) for part in (train, rows))
        lesson = Lesson(learner, learn, validation, weighing)
        fine_tune(checkpoint, lesson, folder, _session(context), progress)

    return run_stage_together(context, "teacher", 4, reads, build)


def distil_stage(
    context: Context, data: TaskData, teacher: Stage, labels: Labels, model: StudentModel
) -> Stage:
    """Distil one student."""
    project = context.project
    reads: dict[str, Any] = {
        "model": model.model_dump(mode="json"),
        "distillation": project.distillation.model_dump(mode="json", exclude={"augmentations"}),
        "teacher": teacher.digest,
        "labels": labels.values.digest,
        "rows": _digest(data, "train", "validation"),
        "seed": project.seed,
        "threads": project.threads,
        "libraries": library_versions(*_LIBRARIES),
    }

    critical = _critical(context, data)
    if critical:
        reads["critical"] = critical
    rows = data.split("validation")
    validation = reference_stage(context, rows, teacher, "teacher").logits

    def build(folder: Path, progress: Progress) -> None:
        from edgekd.distill.distil import distil
        from edgekd.distill.examples import Examples, Lesson
        from edgekd.distill.learners.classify import classify_as_taught
        from edgekd.distill.logs.trackers import open_trackers
        from edgekd.distill.softlabels import open_soft_labels
        from edgekd.distill.teacher import open_teacher
        from edgekd.distill.weighing import weigh_rows

        settings, train = project.distillation, data.split("train")
        learner = classify_as_taught(data.labels, settings, critical)
        learn = open_soft_labels(labels.texts.path, train.classes, labels.store, learner)
        by_target, more = learner.weigh(train.classes), len(learn.texts) - len(train)
        weighing = weigh_rows(train, settings, "distillation", by_target=by_target, unlabelled=more)
        lesson = Lesson(learner, learn, Examples(rows.texts, rows.classes, validation), weighing)
        names = project.tracking if is_first_process() else ()
        run = f"{context.run_folder.name}/{model.name}"
        with open_trackers(names, run, context.workspace / "tracking") as send:
            distil(
                model,
                open_teacher(teacher.path, teacher.digest),
                lesson,
                folder,
                _session(context),
                features=settings.features,
                also=send,
                on_progress=progress,
            )

    return run_stage_together(context, f"distil/{model.name}", _DISTIL_VERSION[model.kind], reads, build)


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
    asked = {"alpha_of", "rare_classes", "class_weights", "origin", "reviewed"}
    if not any(entry.model_dump(include=asked, exclude_defaults=True) for entry in (teacher, settings)):
        return
    from edgekd.distill.learners.classify import classify_as_taught, classify_rows
    from edgekd.distill.weighing import weigh_rows  # torch: two seconds

    classify_rows(data.labels, teacher, "teacher")
    weigh_rows(data.split("train"), teacher, "teacher")
    classify_as_taught(data.labels, settings)
    weigh_rows(data.split("train"), settings, "distillation")


def _session(context: Context) -> Session:
    """Return what all trainings of the run share."""
    from edgekd.distill.examples import Session

    project = context.project
    return Session(project.task, project.seed, project.threads)


def _critical(context: Context, data: TaskData) -> tuple[int, ...]:
    """Return the classes whose recall must be proven: a checkpoint is chosen by it, too."""
    proven = (one for one in context.project.slices if one.tier == "prove")
    names = {name for one in proven for name in one.classes}
    return tuple(sorted(data.labels.index(name) for name in names))


def _digest(data: TaskData, *splits: str) -> str:
    return digest_json([data.split(split).digest for split in splits])
