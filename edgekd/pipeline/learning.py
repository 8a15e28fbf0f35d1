"""Steps that learn: data, teacher, students."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from edgekd.config import Data, Distillation, EncoderModel, StudentModel, Training
from edgekd.config.project import Teacher
from edgekd.data.load import load_and_compare
from edgekd.data.shared import HELD_OUT, SharedTexts
from edgekd.data.taskdata import SPLITS, TaskData, save_data
from edgekd.engines.process import is_first_process
from edgekd.engines.step import Inputs, Settings, Step, write_parts
from edgekd.pipeline.answering import reference_step
from edgekd.pipeline.claims import claims_step
from edgekd.pipeline.context import Context, library_versions
from edgekd.pipeline.distillation import critical_classes
from edgekd.pipeline.opening import TEACHER, open_rows, open_task, write_task
from edgekd.progress import Progress
from edgekd.store import digest_json, write_atomic
from edgekd.tasks import load_task

_DISTIL_VERSION = {"transformer": 6, "narrow": 3, "static": 9}
_LIBRARIES = ("torch", "transformers", "tokenizers", "numpy")


def load_stage(context: Context) -> TaskData:
    """Read, check and split the rows."""
    return open_rows(context.engine.make(context.data).path)


def load_and_compare_stage(context: Context) -> tuple[TaskData, SharedTexts]:
    """Read, check and split the rows, and say which texts stand in more than one place."""
    path = context.engine.make(context.data).path
    shared = SharedTexts.from_json(json.loads((path / "shared.json").read_text(encoding="utf-8")))
    return open_rows(path), shared


def build_data(folder: Path, settings: Settings, inputs: Inputs, progress: Progress) -> None:
    """Write the rows, which texts are shared, and the digests of what other steps read of them."""
    how = Data.model_validate(settings["data"])
    reader = load_task(settings["task"]).reader
    data, shared = load_and_compare(how, Path(settings["folder"]), settings["seed"], reader)
    write_task(folder, settings["task"])
    save_data(data, folder)
    write_atomic(folder / "shared.json", json.dumps(shared.to_json(), ensure_ascii=False, indent=1))
    held_out = [data.split(name).texts for name in HELD_OUT]
    digests = {name: data.split(name).digest for name in SPLITS}
    named = {"all": data.digest, "labels": digest_json(list(data.outputs)), "held out": digest_json(held_out)}
    write_parts(folder, {**digests, **named})


def teacher_step(context: Context) -> Step:
    """Fine-tune the teacher, or take it as it is."""
    from edgekd.distill.weights import describe_weights, find_weights

    project, model = context.project, context.teacher
    setting, location = project.teacher, find_weights(model.weights, context.folder)
    reads: dict[str, Any] = {
        "weights": describe_weights(location),
        "libraries": library_versions(*_LIBRARIES),
        **context.task_reads,
    }
    if setting.lora is not None:
        reads["lora"] = {**setting.lora.model_dump(mode="json"), "libraries": library_versions("peft")}
    if setting.pairs:
        reads["pairs"] = [setting.pairs, library_versions("scikit-learn")]
    if setting.emphasis:  # the key of a teacher whose rows all count alike knows nothing of it
        reads["emphasis"] = setting.emphasis
    read = ("labels", "train", "validation") if setting.fine_tune else ("labels",)
    return Step(
        "teacher",
        5,
        "edgekd.pipeline.learning:build_teacher",
        settings={
            "model": model.model_dump(mode="json"),
            "fine_tune": setting.fine_tune,
            "seed": project.seed,
            "threads": project.threads,
        },
        inputs={"rows": context.data.part(*read)},
        reads=reads,
        how={
            "weights": location,
            "teacher": setting.model_dump(mode="json"),
            "checkpoint_seconds": _checkpoint_seconds(context),
        },
        together=True,
    )


def build_teacher(folder: Path, settings: Settings, inputs: Inputs, progress: Progress) -> None:
    """Write the teacher."""
    from edgekd.distill.examples import Examples, Lesson
    from edgekd.distill.fine_tune import Checkpoint, adopt, fine_tune
    from edgekd.distill.weighing import weigh_rows
    from edgekd.pipeline.lesson import describe_session

    data, setting = open_rows(inputs["rows"].path), Teacher.model_validate(settings["teacher"])
    task, model = open_task(inputs["rows"].path), settings["model"]
    training = Training.model_validate(model["training"])
    checkpoint = Checkpoint(
        model["name"], settings["weights"], model["max_tokens"], training, setting.lora, setting.pairs
    )
    learner = task.learning.from_rows(data.outputs, setting, "teacher")
    if not settings["fine_tune"]:
        adopt(checkpoint, learner, folder)
        return
    train, rows = data.split("train"), data.split("validation")
    by_target = learner.weigh(train.targets)
    weighing = weigh_rows(train, setting, "teacher", by_target=by_target)
    learn, validation = (Examples(part.requests, part.targets) for part in (train, rows))
    fine_tune(
        checkpoint,
        Lesson(learner, learn, validation, weighing),
        folder,
        describe_session(task.name, settings),
        progress,
    )


def find_own_weights(context: Context, model: StudentModel) -> str | None:
    """Return where the pretrained weights lie that a student starts from; None where that is the teacher."""
    if model.kind != "transformer" or model.weights is None:
        return None
    from edgekd.distill.weights import find_weights

    return find_weights(model.weights, context.folder)


def distil_step(context: Context, teacher: Step, labels: Step, model: StudentModel) -> Step:
    """Distil one student; `labels` is the step that gave the labels' digest."""
    project, own = context.project, find_own_weights(context, model)
    how = project.distillation
    reads: dict[str, Any] = {"libraries": library_versions(*_LIBRARIES), **context.task_reads}
    if own is not None:
        from edgekd.distill.weights import describe_weights

        reads["weights"] = describe_weights(own)
    if model.kind == "transformer" and model.lora is not None:
        reads["lora"] = library_versions("peft")
    # A student's key knows nothing of terms that it does not use.
    later = ("rank", "alpha_of_slice", "ambiguous", "checkpoint")
    unread = {"augmentations", *(name for name in later if not getattr(how, name))}
    claims = claims_step(context, teacher, labels)
    slices = [entry for entry in project.slices if entry.name in how.alpha_of_slice]
    risky = {"slices": [entry.model_dump(mode="json") for entry in slices]} if how.alpha_of_slice else {}
    return Step(
        f"distil/{model.name}",
        _DISTIL_VERSION[model.kind],
        "edgekd.pipeline.learning:build_student",
        settings={
            "model": model.model_dump(mode="json", exclude_none=True),
            "distillation": how.model_dump(mode="json", exclude=unread),
            **risky,
            "critical": critical_classes(context),
            "seed": project.seed,
            "threads": project.threads,
        },
        inputs={
            "rows": context.data.part("labels", "train", "validation"),
            "teacher": teacher,
            "texts": labels.inputs["texts"],
            "labels": labels,
            **({} if claims is None else {"claims": claims}),
            "validation": reference_step(context, teacher, TEACHER, "validation"),
        },
        reads=reads,
        how={
            **({} if own is None else {"weights": own}),
            "labels": str(context.workspace / "labels"),
            "run": f"{context.run_folder.name}/{model.name}",
            "checkpoint_seconds": _checkpoint_seconds(context),
            "trackers": list(project.tracking),
            "tracking": str(context.workspace / "tracking"),
        },
        together=True,
    )


def through_step(context: Context, teacher: Step, labels: Step, model: EncoderModel) -> Step:
    """Teach the model between the teacher and its students what the teacher says."""
    from edgekd.distill.weights import describe_weights, find_weights

    location = find_weights(model.weights, context.folder)
    taught = distil_step(context, teacher, labels, context.students[0])  # learns from the same
    return Step(
        "through",
        1,
        "edgekd.pipeline.learning:build_through",
        settings={**taught.settings, "model": model.model_dump(mode="json")},
        inputs=taught.inputs,
        reads={
            "libraries": library_versions(*_LIBRARIES),
            **context.task_reads,
            "weights": describe_weights(location),
        },
        how={
            "weights": location,
            "labels": taught.how["labels"],
            "checkpoint_seconds": taught.how["checkpoint_seconds"],
        },
        together=True,
    )


def build_through(folder: Path, settings: Settings, inputs: Inputs, progress: Progress) -> None:
    """Write that model, as a teacher."""
    from edgekd.distill.fine_tune import Checkpoint, fine_tune
    from edgekd.pipeline.lesson import describe_session, gather_lesson

    model, task = settings["model"], open_task(inputs["rows"].path)
    training = Training.model_validate(model["training"])
    checkpoint = Checkpoint(model["name"], settings["weights"], model["max_tokens"], training)
    session = describe_session(task.name, settings)
    fine_tune(checkpoint, gather_lesson(settings, inputs), folder, session, progress)


def _checkpoint_seconds(context: Context) -> float | None:
    minutes = context.project.checkpoint_minutes
    return None if minutes is None else 60 * minutes


def build_student(folder: Path, settings: Settings, inputs: Inputs, progress: Progress) -> None:
    """Write the student."""
    from edgekd.distill.distil import distil
    from edgekd.distill.logs.trackers import open_trackers
    from edgekd.distill.teacher import open_teacher
    from edgekd.pipeline.lesson import describe_session, gather_lesson

    teacher, model = inputs["teacher"], dict(settings["model"])
    if "weights" in model:  # where they lie here
        model["weights"] = settings["weights"]
    lesson = gather_lesson(settings, inputs)
    names = settings["trackers"] if is_first_process() else ()
    with open_trackers(names, settings["run"], Path(settings["tracking"])) as send:
        distil(
            TypeAdapter[StudentModel](StudentModel).validate_python(model),
            open_teacher(teacher.path, teacher.digest),
            lesson,
            folder,
            describe_session(open_task(inputs["rows"].path).name, settings),
            features=Distillation.model_validate(settings["distillation"]).features,
            also=send,
            on_progress=progress,
        )
