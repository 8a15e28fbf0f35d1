"""Stages that learn: data, teacher, students; each cached by all that it reads."""

from __future__ import annotations

from pathlib import Path

from edgekd.config import StaticModel, TransformerModel
from edgekd.data.load import describe_source, load_data
from edgekd.data.taskdata import TaskData, open_data, save_data
from edgekd.pipeline.context import Context, library_versions
from edgekd.pipeline.labelling import Labels
from edgekd.pipeline.staging import run_stage, run_stage_together
from edgekd.progress import Progress
from edgekd.store import Stage, digest_json

_DISTIL_VERSION = {"transformer": 3, "static": 5}
_LIBRARIES = ("torch", "transformers", "tokenizers", "numpy")


def load_stage(context: Context) -> TaskData:
    """Read, check and split the rows."""
    project = context.project
    source = describe_source(project.data, context.folder)
    reads = {"data": project.data.model_dump(mode="json"), "source": source, "seed": project.seed}

    def build(folder: Path, progress: Progress) -> None:
        save_data(load_data(project.data, context.folder, project.seed), folder)

    return open_data(run_stage(context, "data", 1, reads, build).path)


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

    def build(folder: Path, progress: Progress) -> None:
        from edgekd.distill.teacher import adopt, fine_tune

        name, limit = model.name, model.max_tokens
        if not project.teacher.fine_tune:
            adopt(data, location, folder, name=name, max_tokens=limit)
            return
        fine_tune(
            data,
            location,
            model.training,
            folder,
            name=name,
            max_tokens=limit,
            seed=project.seed,
            threads=project.threads,
            lora=lora,
            on_progress=progress,
        )

    return run_stage_together(context, "teacher", 2, reads, build)


def distil_stage(
    context: Context, data: TaskData, teacher: Stage, labels: Labels, model: TransformerModel | StaticModel
) -> Stage:
    """Distil one student."""
    project = context.project
    reads = {
        "model": model.model_dump(mode="json"),
        "distillation": project.distillation.model_dump(mode="json", exclude={"augmentations"}),
        "teacher": teacher.digest,
        "labels": labels.values.digest,
        "rows": _digest(data, "train", "validation"),
        "seed": project.seed,
        "threads": project.threads,
        "libraries": library_versions(*_LIBRARIES),
    }

    def build(folder: Path, progress: Progress) -> None:
        from edgekd.distill.softlabels import open_soft_labels
        from edgekd.distill.student import distil
        from edgekd.distill.teacher import open_teacher

        learn, validation = open_soft_labels(
            labels.texts.path, data, labels.store, project.distillation.temperature, labels.values.digest
        )
        distil(
            model,
            open_teacher(teacher.path, teacher.digest),
            learn,
            validation,
            folder,
            training=model.training,
            distillation=project.distillation,
            seed=project.seed,
            threads=project.threads,
            on_progress=progress,
        )

    return run_stage_together(context, f"distil/{model.name}", _DISTIL_VERSION[model.kind], reads, build)


def _digest(data: TaskData, *splits: str) -> str:
    return digest_json([data.split(split).digest for split in splits])
