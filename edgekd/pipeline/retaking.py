"""Take a finished training that comes out the same: of it slices say only what chooses the epoch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekd.distill.diagnosis.course import has_same_course
from edgekd.engines.look import find_made
from edgekd.engines.step import Step
from edgekd.pipeline.context import Context

_CLASSES = "critical"
"""The one setting of a training that may differ."""


def retake(context: Context, step: Step) -> Step:
    """Return a step that trains, or a finished one which has the same weights.

    That one differs in the critical classes alone, and with those of `step` its log, which has the recall of
    every class after each epoch, chooses the same epoch and ends at the same one. So a slice that is added or
    taken away trains nothing anew unless it would choose another epoch.
    """
    made = find_made(context.store, [step])
    if step in made or not set(step.sources) <= made.keys():
        return step
    wanted = step.key_reads(step.folders(made))
    rest, classes = _split(wanted)
    planned = step.settings["model"]["training"]["epochs"]

    def fits(folder: Path, reads: Mapping[str, Any]) -> bool:
        return _split(reads)[0] == rest and has_same_course(folder / "logs" / "train.jsonl", classes, planned)

    found = context.store.find_like(step.name, step.version, fits)
    if found is None:
        return step
    record = json.loads((found.path / "stage.json").read_text(encoding="utf-8"))
    settings = {**step.settings, _CLASSES: record["reads"]["settings"][_CLASSES]}
    return replace(step, settings=settings)


def _split(reads: Mapping[str, Any]) -> tuple[dict[str, Any], frozenset[str]]:
    settings = {name: value for name, value in reads["settings"].items() if name != _CLASSES}
    return {**reads, "settings": settings}, frozenset(reads["settings"].get(_CLASSES, ()))
