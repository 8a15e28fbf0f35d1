"""The step that puts two compiled students into one artifact: the second orders the first one's best anew."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgekd.compile import open_artifact
from edgekd.compile.cascade import write_cascade
from edgekd.engines.step import Inputs, Settings, Step
from edgekd.errors import ConfigError, ParityError, unknown_name
from edgekd.evaluate.predictions import load_predictions
from edgekd.pipeline.answering import LOGITS, answer_step
from edgekd.pipeline.compiling import artifact_of, model_of, place_artifact, write_artifact_parts
from edgekd.pipeline.context import Context
from edgekd.pipeline.opening import open_rows, open_task
from edgekd.progress import Progress


@dataclass(frozen=True)
class Compiled:
    """A variant that is compiled or is to be: its name and its step."""

    name: str
    step: Step


def check_cascades(context: Context) -> None:
    """Refuse cascades of students that are not there, or of a task whose answers have none.

    Raises:
        ConfigError: naming the setting.
    """
    names = [model.name for model in context.students]
    for number, entry in enumerate(context.project.cascades):
        for key, name in (("first", entry.first), ("second", entry.second)):
            if name not in names:
                raise ConfigError(f"cascades.{number}.{key}: {unknown_name('student', name, names)}")
        if context.task.choose_keep is None:
            raise ConfigError(
                f"cascades: orders of candidates are made in turn, and task {context.task.name} makes none; "
                "remove cascades"
            )


def cascade_step(context: Context, first: Compiled, second: Compiled) -> Step:
    """Find on validation rows how many of the first one's candidates the second must read; write both."""
    return Step(
        f"cascade/{first.name}+{second.name}",
        2,
        "edgekd.pipeline.cascading:build_cascade",
        inputs={
            "first": artifact_of(first.step),
            "second": artifact_of(second.step),
            "answers of first": answer_step(context, first.name, model_of(first.step), "validate"),
            "answers of second": answer_step(context, second.name, model_of(second.step), "validate"),
            "rows": context.data.part("validation"),
        },
    )


def build_cascade(folder: Path, settings: Settings, inputs: Inputs, progress: Progress) -> None:
    """Write the artifact of both."""
    rows = open_rows(inputs["rows"].path).split("validation")
    first, second = (
        load_predictions(inputs[f"answers of {name}"].path / LOGITS, rows.ids).outputs
        for name in ("first", "second")
    )
    choose = open_task(inputs["rows"].path).choose_keep
    assert choose is not None, "a task without it was refused"
    keep = choose(first, second, rows.targets)
    if keep is None:
        raise ParityError(
            "a cascade: on validation rows the first student's best candidates are too often not among the "
            "second's, however many are kept; leave it out, or train the first one longer"
        )
    before, after = (open_artifact(inputs[name].path) for name in ("first", "second"))
    artifact = write_cascade(before, after, keep, place_artifact(folder))
    write_artifact_parts(folder, artifact)
