"""What a run trains and compiles, and about how long that takes; loads no training library."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

from edgekd.data.taskdata import TaskData
from edgekd.pipeline.context import Context

# Rows per second on two cores of a server, where no earlier training says better: of a MiniLM teacher a third
# of the rate of its answers, of a two-layer student as in docs/results/training.md, of a static one a guess;
# labels as in docs/results/labelling.md.
_TEACHER, _LABELS = 170.0, 900.0
_STUDENT = {"transformer": 800.0, "narrow": 800.0, "static": 4000.0}
_ARTIFACT_SECONDS = 12.0  # compiled, measured and judged: the demo's, over its artifacts


def plan_training(context: Context, data: TaskData) -> tuple[str, ...]:
    """Say what a run would make if nothing were cached, in lines for people.

    Times come from the newest training of the same model in this workspace, where there is one, else from a
    rule of thumb for two cores. They are rough: a base-size teacher takes eight times as long as MiniLM.
    """
    rows = len(data.split("train"))
    unlabelled = len(data.split("unlabelled"))
    texts = rows * (1 + context.project.distillation.augmentations) + unlabelled
    teacher = context.teacher
    lines = []
    if context.project.teacher.fine_tune:
        words = (
            f"plan: fine-tune the teacher {teacher.name} on {rows:,} rows, {teacher.training.epochs} epochs: "
        )
        seconds = rows * teacher.training.epochs / _TEACHER
        lines.append(words + _about(context, "teacher", teacher.training.epochs, seconds))
    lines.append(f"plan: label about {texts:,} texts: about {_time(texts / _LABELS)}, by a rule of thumb")
    for model in context.students:
        epochs = model.training.epochs
        seconds = texts * epochs / _STUDENT[model.kind]
        words = f"plan: distil {model.name}, {epochs} epochs: "
        lines.append(words + _about(context, f"distil/{model.name}", epochs, seconds))
    builds = {(b.runtime, b.label) for target in context.targets for b in target.builds}
    artifacts = len(builds) * len(context.students)
    lines.append(
        f"plan: compile, measure and judge up to {artifacts} artifacts for {len(context.targets)} targets: "
        f"about {_time(artifacts * _ARTIFACT_SECONDS)}, by a rule of thumb"
    )
    return tuple(lines)


def _about(context: Context, stage: str, epochs: int, thumb: float) -> str:
    logs = sorted(
        context.store.root.glob(f"{stage}/*/logs/train.jsonl"), key=lambda path: path.stat().st_mtime
    )
    seconds = _epoch_seconds(logs[-1]) if logs else None
    if seconds is None:
        return f"about {_time(thumb)}, by a rule of thumb"
    return f"about {_time(seconds * epochs)}, as the newest of {len(logs)} in the cache took"


def _epoch_seconds(log: Path) -> float | None:
    events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    epochs = [event["seconds"] for event in events if event.get("event") == "kd_epoch_summary"]
    return statistics.median(epochs) if epochs else None


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} minutes"
