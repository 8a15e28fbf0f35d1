"""Fit a decision bias per class on validation rows: the teacher's, and what every fit has to say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from edgekd.config import Project, Slice
from edgekd.data.slices import select_traffic, slice_masks
from edgekd.data.taskdata import TaskData
from edgekd.evaluate.arrays import Scores
from edgekd.evaluate.bias import ENOUGH, BiasFit, fit_bias
from edgekd.evaluate.predictions import Predictions
from edgekd.evaluate.slices import select_rows
from edgekd.pipeline.answering import reference_stage
from edgekd.pipeline.context import Context
from edgekd.pipeline.staging import run_stage
from edgekd.progress import Progress
from edgekd.serving.calibrate import spread_bias
from edgekd.store import Stage, write_atomic

NOTES = Path("logs") / "bias.json"
VERSION = 6
"""Of the fit; part of what a stage reads that rests on it."""


def limited_slices(project: Project) -> tuple[Slice, ...]:
    """Return the slices whose limits a bias is fitted for; none where no recall has a floor."""
    floors = [entry for entry in project.slices if entry.at_least or entry.at_most]
    return tuple(floors) if any(entry.recall_of for entry in floors) else ()


def fit_rows(context: Context, rows: TaskData, scores: Scores) -> BiasFit:
    """Fit the bias of a model that gives `scores` [row, label], logits over the temperature, to some rows."""
    slices = limited_slices(context.project)
    traffic = select_traffic(rows, context.project.data.sample)
    chosen = select_rows(slices, slice_masks(rows, slices), rows.classes, rows.labels, traffic)
    return fit_bias(scores, rows.classes, rows.labels, chosen, traffic)


def teacher_answers(context: Context, data: TaskData, teacher: Stage, split: str) -> Predictions:
    """Answer a split's rows as the teacher would be served: with its own bias where floors ask for one."""
    answers = reference_stage(context, data.split(split), teacher, "teacher")
    fit = teacher_fit(context, data, teacher)
    return answers if fit is None else replace(answers, bias=spread_bias(fit.bias, data.labels))


def teacher_fit(context: Context, data: TaskData, teacher: Stage) -> BiasFit | None:
    """Return the teacher's bias, fitted on validation rows; None where no floor asks for one."""
    slices = limited_slices(context.project)
    if not slices:
        return None
    rows = data.split("validation")
    validated = reference_stage(context, rows, teacher, "teacher")
    reads = {
        "weights": teacher.digest,
        "rows": rows.digest,
        "slices": [entry.model_dump(mode="json") for entry in slices],
        "sample": context.project.data.sample,
        "version": VERSION,
    }

    def build(folder: Path, progress: Progress) -> None:
        write_fit(folder, fit_rows(context, rows, validated.logits))

    return read_fit(run_stage(context, "bias/teacher", 1, reads, build).path)


def write_fit(folder: Path, fit: BiasFit) -> None:
    """Keep a fit among a stage's files."""
    write_atomic(folder / NOTES, json.dumps(fit.to_json(), indent=1))


def read_fit(folder: Path) -> BiasFit:
    """Read what `write_fit` kept."""
    return BiasFit.from_json(json.loads((folder / NOTES).read_text(encoding="utf-8")))


def describe_fit(name: str, fit: BiasFit) -> list[str]:
    """Say in plain lines what floors cost, which of them validation rows do not prove, and what is thin."""
    lines = []
    if fit.bias:
        bias = ", ".join(f"{label} {number:+g}" for label, number in fit.bias.items())
        cost = 100 * (fit.accuracy_before - fit.accuracy_after)
        lines.append(f"{name}: bias for floors: {bias}; costs {cost:.2f} points of validation accuracy")
    if fit.unmet:
        lines.append(f"{name}: no bias makes validation rows prove the limits of {', '.join(fit.unmet)}")
    if fit.thin:
        thin = ", ".join(f"{label} ({n} rows)" for label, n in fit.thin.items())
        lines.append(f"{name}: the bias rests on fewer than {ENOUGH} validation rows of {thin}")
    return lines
