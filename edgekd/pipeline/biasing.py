"""Fit a decision bias per class on validation rows: the teacher's, and what every fit has to say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edgekd.config import Slice
from edgekd.data.slices import select_traffic, slice_masks
from edgekd.data.taskdata import TaskData
from edgekd.engines.step import Inputs, Settings, Step
from edgekd.evaluate.arrays import Scores
from edgekd.evaluate.classify.bias import ENOUGH, BiasFit, fit_bias
from edgekd.evaluate.classify.slices import select_rows
from edgekd.evaluate.predictions import Predictions
from edgekd.pipeline.answering import read_answers, reference_step
from edgekd.pipeline.context import Context
from edgekd.pipeline.opening import TEACHER, Split, open_rows
from edgekd.progress import Progress
from edgekd.serving.calibrate import spread_bias
from edgekd.store import write_atomic

NOTES = Path("logs") / "bias.json"
VERSION = 6
"""Of the fit; part of what a stage reads that rests on it."""


def limited_slices(slices: Sequence[Slice]) -> tuple[Slice, ...]:
    """Return the slices whose limits a bias is fitted for; none where no recall has a floor."""
    floors = [entry for entry in slices if entry.at_least or entry.at_most]
    return tuple(floors) if any(entry.sought for entry in floors) else ()


def fit_rows(rows: TaskData, scores: Scores, slices: Sequence[Slice], sample: str | None) -> BiasFit:
    """Fit the bias of a model that gives `scores` [row, label], outputs over the temperature, to some rows.

    `slices` have the limits; `sample` says which rows came as traffic comes.
    """
    traffic = select_traffic(rows, sample)
    chosen = select_rows(slices, slice_masks(rows, slices), rows.classes, rows.outputs, traffic)
    return fit_bias(scores, rows.classes, rows.outputs, chosen, traffic)


def bias_step(context: Context, teacher: Step) -> Step | None:
    """Fit the teacher's bias on validation rows; None where no floor asks for one."""
    slices = limited_slices(context.project.slices)
    if not slices:
        return None
    return Step(
        "bias/teacher",
        2,
        "edgekd.pipeline.biasing:build_bias",
        settings={
            "slices": [entry.model_dump(mode="json") for entry in slices],
            "sample": context.project.data.sample,
        },
        inputs={
            "answers": reference_step(context, teacher, TEACHER, "validation"),
            "rows": context.data.part("validation"),
        },
        reads={"version": VERSION},
    )


def build_bias(folder: Path, settings: Settings, inputs: Inputs, progress: Progress) -> None:
    """Write the fit of a model's bias."""
    rows = open_rows(inputs["rows"].path).split("validation")
    slices = [Slice.model_validate(entry) for entry in settings["slices"]]
    answers = read_answers(inputs["answers"].path, rows)
    write_fit(folder, fit_rows(rows, answers.outputs, slices, settings["sample"]))


def teacher_answers(context: Context, data: TaskData, teacher: Step, split: Split) -> Predictions:
    """Answer a split's rows as the teacher would be served: with its own bias where floors ask for one."""
    answers, bias = reference_step(context, teacher, TEACHER, split), bias_step(context, teacher)
    fitted = None if bias is None else context.engine.make(bias).path
    return read_teacher(context.engine.make(answers).path, fitted, data.split(split))


def read_teacher(answers: Path, bias: Path | None, rows: TaskData) -> Predictions:
    """Read the same from the folders of both steps; `bias` is None where no floor asks for one."""
    found = read_answers(answers, rows)
    return found if bias is None else replace(found, bias=spread_bias(read_fit(bias).bias, rows.outputs))


def teacher_fit(context: Context, teacher: Step) -> BiasFit | None:
    """Return the teacher's bias, fitted on validation rows; None where no floor asks for one."""
    step = bias_step(context, teacher)
    return None if step is None else read_fit(context.engine.make(step).path)


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
