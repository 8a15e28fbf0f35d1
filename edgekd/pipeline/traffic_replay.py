"""Logged requests answered anew: by the teacher, by what is promoted or a candidate, by what was before."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekd.compile import open_artifact
from edgekd.compile.artifact import read_fitted
from edgekd.curate.logs.read import read_log
from edgekd.engines.look import find_made
from edgekd.engines.step import Folder
from edgekd.errors import ConfigError, DataError
from edgekd.evaluate.predictions import Predictions
from edgekd.gate.history import find_place, read_history
from edgekd.gate.settling import current
from edgekd.gate.versions import require_version
from edgekd.pipeline.answering import answer_one_by_one, served_predictions
from edgekd.pipeline.context import Context
from edgekd.pipeline.learning import teacher_step
from edgekd.pipeline.opening import TEACHER, answer_requests
from edgekd.serving.calibrate import spread_bias
from edgekd.store import write_atomic

_NOT_SAID = (
    "event",
    "version",
    "mode",
    "model",
    "milliseconds",
    "label",
    "probability",
    "probabilities",
    "margin",
)
"""Columns of a log that are of the answer that was given then."""


@dataclass(frozen=True)
class Replayed:
    """How many rows were answered, and digests of the artifacts; the second is empty without one before."""

    rows: int
    student: str
    incumbent: str


def replay_log(
    context: Context, target: str, log: Path, out: Path, candidate: Path | None, most: int
) -> Replayed:
    """Answer the newest requests of a log that kept its texts, and write the rows that `--shadow` reads.

    The student is the candidate and the incumbent what is promoted; without a candidate they are what is
    promoted and the version before it. Where there is no version before, the incumbent is the student.

    Args:
        context: The project's; its teacher must have been trained.
        target: Whose promoted version it is about.
        log: The `audit` folder of a service's log.
        out: The file of rows, JSON lines.
        candidate: Folder of an artifact.
        most: How many requests at most, the newest ones.

    Raises:
        ConfigError: nothing is promoted, the teacher is not trained, or an artifact answers without labels.
        DataError: the log keeps no texts.
    """
    rows = _newest(log, most)
    texts = [row["text"] for row in rows]
    student, incumbent = _find_artifacts(context, target, candidate)
    teacher = _answer_as_teacher(context, texts)  # refused before anything costs time
    answers = {"student": _answer(context, student, texts)}
    answers["incumbent"] = answers["student"] if incumbent is None else _answer(context, incumbent, texts)
    answers["teacher"] = teacher
    lines = []
    for place, row in enumerate(rows):
        said = {who: labels[place] for who, labels in answers.items()}
        lines.append(json.dumps({**row, **said}, ensure_ascii=False))
    write_atomic(out, "\n".join(lines) + "\n")
    digests = [open_artifact(path).digest if path is not None else "" for path in (student, incumbent)]
    return Replayed(len(rows), *digests)


def _newest(log: Path, most: int) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for piece in read_log(log):
        if "text" not in piece.table.column_names:
            continue
        for row in piece.table.to_pylist():
            if row["text"]:
                kept = {
                    name: value for name, value in row.items() if name not in _NOT_SAID and value is not None
                }
                found[row["request"]] = {name: value for name, value in kept.items() if _is_plain(value)}
    if not found:
        raise DataError(f"{log}: keeps no texts; give the audit/ folder, with full_share or risky slices")
    return sorted(found.values(), key=lambda row: row["time"])[-most:]


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float | bool)


def _find_artifacts(context: Context, target: str, candidate: Path | None) -> tuple[Path, Path | None]:
    held = current(context.registry, context.project.name, target)
    if held is None:
        raise ConfigError(f"{target}: nothing is promoted that traffic could be compared with")
    if candidate is not None:
        return candidate, held[1]
    before = read_history(context.registry, context.project.name, target).earlier
    if before is None:
        return held[1], None
    place = find_place(context.registry, context.project.name, target)
    return held[1], require_version(place, before.artifact_digest)


def _answer(context: Context, folder: Path, texts: Sequence[str]) -> list[str]:
    """Answer as the artifact is served, less its routing."""
    artifact = open_artifact(folder)
    labels = artifact.head.labels
    if not labels:
        raise ConfigError(f"{folder}: answers without labels; traffic is compared by its labels")
    with context.show_progress(f"replay/{artifact.student}.{artifact.runtime}.{artifact.recipe}") as progress:
        outputs = answer_one_by_one(folder, texts, context.project.threads, progress)
    fitted = read_fitted(folder)
    bias = spread_bias(fitted.bias, labels)
    served = served_predictions(
        artifact.digest, Predictions(artifact.digest, outputs), fitted.temperature, bias
    )
    return [labels[place] for place in served.labels]


def _answer_as_teacher(context: Context, texts: Sequence[str]) -> list[str]:
    from edgekd.distill.teacher import open_teacher

    step = teacher_step(context)
    stage = find_made(context.engine.store, [step]).get(step)
    if stage is None:
        raise ConfigError("the teacher of these settings is not trained yet; train it first: edgekd label")
    outputs = open_teacher(stage.path, stage.digest).outputs
    with context.show_progress("replay/teacher") as progress:
        folder = Folder(stage.path, stage.digest)
        scores = answer_requests(folder, TEACHER, texts, context.project.threads, progress)
    return [outputs[place] for place in np.argmax(scores, axis=1)]
