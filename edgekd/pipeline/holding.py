"""What an artifact serves on a split's rows, and what the version serves that keeps some of its slices."""

from __future__ import annotations

from typing import Literal

import numpy as np

from edgekd.compile import Artifact, open_artifact
from edgekd.config import Target
from edgekd.data.slices import slice_masks
from edgekd.data.taskdata import TaskData
from edgekd.evaluate.arrays import Labels
from edgekd.evaluate.routing import Routed, route_rows
from edgekd.gate.history import find_place
from edgekd.gate.versions import require_version
from edgekd.pipeline.answering import artifact_answers
from edgekd.pipeline.context import Context
from edgekd.serving.calibrate import read_calibration, spread_bias

Step = Literal["answer", "validate"]


def serve_rows(
    context: Context, target: Target, rows: TaskData, artifact: Artifact, taught: Labels, step: Step
) -> Routed:
    """Answer a split's rows as a user would get them: by the artifact's policy; `taught` is the teacher's."""
    answers = artifact_answers(context, rows, artifact, step)
    calibration = read_calibration(artifact.path / "calibration.json")
    if not calibration.routing:
        none = np.zeros(len(rows.texts), np.bool_)
        return Routed(answers.labels, none, none, none)
    return route_rows(
        calibration.routing,
        rows.labels,
        rows.texts,
        answers.probabilities(calibration.temperature),
        taught,
        slice_masks(rows, context.project.slices),
        spread_bias(calibration.bias, rows.labels),
        find_held(context, target, rows, artifact, taught, step),
    )


def find_held(
    context: Context, target: Target, rows: TaskData, artifact: Artifact, taught: Labels, step: Step
) -> Routed | None:
    """Return what the version serves that keeps some of an artifact's slices; None where none does.

    Raises:
        ArtifactError: that version is not in the registry any more.
    """
    holder = _named(context, target, artifact)
    return None if holder is None else serve_rows(context, target, rows, holder, taught, step)


def find_holder(context: Context, target: Target, incumbent: Artifact | None) -> Artifact | None:
    """Return the version that slices stay with if they leave a new one: the incumbent.

    Where the incumbent itself left slices with an earlier version, it is that one: it answers them today.
    """
    return None if incumbent is None else _named(context, target, incumbent) or incumbent


def _named(context: Context, target: Target, artifact: Artifact) -> Artifact | None:
    kept = read_calibration(artifact.path / "calibration.json").routing.get("incumbent")
    if not kept:
        return None
    place = find_place(context.registry, context.project.name, target.name)
    return open_artifact(require_version(place, kept["artifact"]))
