"""What an artifact serves on a split's rows, and what the version serves that keeps some of its slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekd.compile import Artifact, open_artifact
from edgekd.compile.artifact import read_fitted
from edgekd.config import Slice, Target
from edgekd.data.slices import slice_masks
from edgekd.data.taskdata import TaskData
from edgekd.evaluate.arrays import Labels
from edgekd.evaluate.classify.routing import Routed, route_rows
from edgekd.evaluate.predictions import Predictions
from edgekd.gate.history import find_place
from edgekd.gate.versions import require_version
from edgekd.pipeline.answering import Word, artifact_answers
from edgekd.pipeline.context import Context
from edgekd.serving.calibrate import spread_bias


@dataclass(frozen=True, eq=False)
class Holder:
    """A version that answers rows, and its answers to them, less its routing."""

    artifact: Path
    answers: Predictions


def serve(rows: TaskData, slices: Sequence[Slice], taught: Labels, versions: Sequence[Holder]) -> Routed:
    """Answer rows as a user would get them from the first version.

    Each of the further versions keeps slices of the one before it; `taught` is what the teacher answers.
    """
    first, *others = versions
    answers = first.answers
    calibration = read_fitted(first.artifact)
    if not calibration.routing:
        none = np.zeros(len(rows.texts), np.bool_)
        return Routed(answers.labels, none, none, none)
    return route_rows(
        calibration.routing,
        rows.outputs,
        rows.texts,
        answers.probabilities(calibration.temperature),
        taught,
        slice_masks(rows, slices),
        spread_bias(calibration.bias, rows.outputs),
        serve(rows, slices, taught, others) if others else None,
    )


def serve_rows(
    context: Context, target: Target, rows: TaskData, artifact: Artifact, taught: Labels, word: Word
) -> Routed:
    """Answer a split's rows as a user would get them: by the artifact's policy; `taught` is the teacher's."""
    versions = [artifact, *list_holders(context, target, artifact)]
    answered = [Holder(one.path, artifact_answers(context, rows, one, word)) for one in versions]
    return serve(rows, context.project.slices, taught, answered)


def find_held(
    context: Context, target: Target, rows: TaskData, artifact: Artifact, taught: Labels, word: Word
) -> Routed | None:
    """Return what the version serves that keeps some of an artifact's slices; None where none does.

    Raises:
        ArtifactError: that version is not in the registry any more.
    """
    holder = _named(context, target, artifact)
    return None if holder is None else serve_rows(context, target, rows, holder, taught, word)


def find_holder(context: Context, target: Target, incumbent: Artifact | None) -> Artifact | None:
    """Return the version that slices stay with if they leave a new one: the incumbent.

    Where the incumbent itself left slices with an earlier version, it is that one: it answers them today.
    """
    return None if incumbent is None else _named(context, target, incumbent) or incumbent


def list_holders(context: Context, target: Target, artifact: Artifact) -> list[Artifact]:
    """List the versions that keep slices of an artifact: the one that it names, the one which that one names.

    Raises:
        ArtifactError: a version is not in the registry any more.
    """
    found: list[Artifact] = []
    while (holder := _named(context, target, found[-1] if found else artifact)) is not None:
        found.append(holder)
    return found


def _named(context: Context, target: Target, artifact: Artifact) -> Artifact | None:
    kept = read_fitted(artifact.path).routing.get("incumbent")
    if not kept:
        return None
    place = find_place(context.registry, context.project.name, target.name)
    return open_artifact(require_version(place, kept["artifact"]))
