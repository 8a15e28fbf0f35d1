"""About how long takes what a run has to train and compile; loads no training library."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import NamedTuple

from edgekd.config import RankTerms
from edgekd.data.taskdata import TaskData
from edgekd.pipeline.context import Context
from edgekd.pipeline.forecast import Forecast
from edgekd.serving.request import list_examples

# Rows per second on two cores of a server, where no earlier training says better: of a MiniLM teacher a third
# of the rate of its answers, of a two-layer student as in docs/results/training.md, of a static one a guess;
# labels as in docs/results/labelling.md.
_TEACHER, _LABELS = 170.0, 900.0
_STUDENT = {"transformer": 800.0, "narrow": 800.0, "static": 4000.0}
_WORDS = 10  # of a text for which these rates hold: longer ones take longer in proportion
_ARTIFACT_SECONDS = 12.0  # compiled, measured and judged: the demo's, over its artifacts


def estimate_times(context: Context, data: TaskData, forecast: Forecast) -> tuple[str, ...]:
    """Say about how long what a run has to make takes, in lines for people; nothing for what is cached.

    They come from the rows per second of the newest training of the same model in this workspace, where there
    is one, else from a rule of thumb for two cores. They are rough: a base-size teacher takes eight times as
    long as MiniLM, and rows of another project may be longer.
    """
    load = _find_load(context, data)
    lines = []
    if not forecast.has_teacher and forecast.fine_tunes:
        epochs = context.teacher.training.epochs
        spent = _about(context, "teacher", load.rows * epochs, load.taught * load.weight * epochs / _TEACHER)
        lines.append(f"time: the teacher's {epochs} epochs: {spent}")
    to_distil = [model for model in context.students if not forecast.students[model.name]]
    if to_distil:
        spent = _time(load.labelled * load.weight / _LABELS)
        lines.append(f"time: labels of {load.labelled:,} texts at most: about {spent}, by a rule of thumb")
    for model in to_distil:
        epochs = model.training.epochs
        thumb = load.distilled * load.weight * epochs / _STUDENT[model.kind]
        spent = _about(context, f"distil/{model.name}", load.distilled_rows * epochs, thumb)
        lines.append(f"time: {model.name}, {epochs} epochs: {spent}")
    if to_compile := forecast.variants - forecast.cached_variants:
        spent = _time(to_compile * _ARTIFACT_SECONDS)
        lines.append(
            f"time: {to_compile} variants to compile, measure and judge: about {spent} at most, "
            "by a rule of thumb"
        )
    return tuple(lines)


class _Load(NamedTuple):
    """How many rows an epoch has; how many texts, or pairs, models read in one, and the teacher labels.

    `weight` is 1 for texts of as many words as the rates are of.
    """

    rows: int
    distilled_rows: int
    taught: int
    distilled: int
    labelled: int
    weight: float


def _find_load(context: Context, data: TaskData) -> _Load:
    train, unlabelled = data.split("train"), len(data.split("unlabelled"))
    examples = [example for request in train.requests for example in list_examples(request)]
    words = sum(len(example.split()) for example in examples) / len(examples)
    weight = max(1.0, words / _WORDS)
    shown = context.task.learning.plain(data.outputs).list_size
    if shown is None:
        texts = len(train) * (1 + context.project.distillation.augmentations) + unlabelled
        return _Load(len(train), texts, len(train), texts, texts, weight)
    asked = context.project.distillation.rank or RankTerms()
    each = len(examples) / len(train)
    rows = len(train) + unlabelled
    taught, distilled = round(len(train) * min(each, shown)), round(rows * min(each, asked.candidates))
    labelled = len(examples) + round(unlabelled * each)
    return _Load(len(train), rows, taught, distilled, labelled, weight)


def _about(context: Context, stage: str, rows: int, thumb: float) -> str:
    logs = sorted(
        context.store.root.glob(f"{stage}/*/logs/train.jsonl"), key=lambda path: path.stat().st_mtime
    )
    rate = _rows_per_second(logs[-1]) if logs else None
    if rate is None:
        return f"about {_time(thumb)}, by a rule of thumb"
    return f"about {_time(rows / rate)}, at the rate of the newest of {len(logs)} in the cache"


def _rows_per_second(log: Path) -> float | None:
    events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    rates = [event["throughput_samples_per_sec"] for event in events if event.get("event") == "kd_train_step"]
    return statistics.median(rates) if rates else None


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} minutes"
