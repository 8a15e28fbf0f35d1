"""Answer noisy twins of the test rows, and compare each answer with that to the clean row."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgekd.compile import Artifact
from edgekd.config import Slice
from edgekd.curate.twins.make import Twins, make_twins
from edgekd.data.slices import slice_masks
from edgekd.data.taskdata import TaskData, save_data
from edgekd.engines.step import Folder, Inputs, Settings, Step, write_parts
from edgekd.errors import ConfigError
from edgekd.evaluate.arrays import Flags, Values
from edgekd.evaluate.drop import paired_drop
from edgekd.evaluate.predictions import Predictions
from edgekd.evaluate.result import Drop
from edgekd.evaluate.scorer import JudgedRows, Scorer
from edgekd.pipeline.answering import answer_step, artifact_answers, read_served
from edgekd.pipeline.context import Context
from edgekd.pipeline.opening import open_rows, write_task
from edgekd.pipeline.run import run
from edgekd.progress import Progress
from edgekd.store import digest_file, parse_json, write_atomic


@dataclass(frozen=True)
class TwinResult:
    """A variant on the twins of one kind.

    Attributes:
        clean, noisy: mean value of the clean rows and of their twins, 0 to 1, by the metric of `overall`.
        drop: against the clean rows; paired.
        left_out: rows without such a twin.
        margin: largest drop that is good enough, a share; None where none is asked.
    """

    target: str
    variant: str
    kind: str
    clean: float
    noisy: float
    drop: Drop
    left_out: int
    margin: float | None

    @property
    def fails(self) -> bool:
        """Whether the drop is shown to be beyond the margin."""
        return self.margin is not None and self.drop.low > self.margin


def compare_twins(context: Context, only: tuple[str, ...], command: str) -> tuple[TwinResult, ...]:
    """Compile every variant, have it answer twins and clean rows, and compare; by target, variant and kind.

    Raises:
        ConfigError: the project asks for no twins, or none can be made.
    """
    if not context.project.twins:
        raise ConfigError("the project has no key 'twins'; add for example twins: [{kind: typos, margin: 5}]")
    results = run(context, "compile", only, command)
    test = results.data.split("test")
    step = twins_step(context)
    folder = context.engine.make(step).path
    rows, left_out = open_rows(folder), parse_json((folder / "left_out.json").read_text(encoding="utf-8"))
    places = np.load(folder / "places.npy", allow_pickle=False)
    twins = Twins(rows, places, left_out)
    found: list[TwinResult] = []
    for target, variants in results.variants.items():
        for variant in variants:
            if variant.artifact is not None:
                pairs = _values(context, test, twins, step, variant.artifact)
                found += _compare(context, twins, pairs, target, variant.name)
    if not found:
        raise ConfigError("no variant was compiled, or no row has a twin of the kinds that 'twins' names")
    return tuple(found)


def twins_step(context: Context) -> Step:
    """Make the twins of the test rows."""
    return Step(
        "twins",
        1,
        "edgekd.pipeline.twinning:build_twins",
        settings={
            "kinds": [twins.kind for twins in context.project.twins],
            "seed": context.project.seed,
            "task": context.project.task,
        },
        inputs={"rows": context.data.part("train", "test")},
        reads=context.task_reads,
    )


def build_twins(folder: Path, settings: Settings, inputs: Inputs, progress: Progress) -> None:
    """Write the twins, the places of their clean rows, and how many rows have none."""
    data = open_rows(inputs["rows"].path)
    twins = make_twins(data.split("test"), data.split("train"), settings["kinds"], settings["seed"])
    save_data(twins.rows, folder)
    write_task(folder, settings["task"])
    np.save(folder / "places.npy", twins.places, allow_pickle=False)
    write_atomic(folder / "left_out.json", json.dumps(dict(twins.left_out)))
    write_parts(folder, {"test": digest_file(folder / "rows.arrow")})


Pairs = tuple[Flags, Values, Values]
"""Which twins [twin] can be judged, the value of each one's clean row, and that of each."""


def _values(context: Context, test: TaskData, twins: Twins, step: Step, artifact: Artifact) -> Pairs:
    clean = artifact_answers(context, test, artifact)
    answer = answer_step(context, f"twins.{artifact.student}", Folder(artifact.path, artifact.model_digest))
    stage = context.engine.make(replace(answer, inputs={**answer.inputs, "rows": step.part("test")}))
    noisy = read_served(artifact.path, artifact.digest, stage.path, twins.rows)
    scorer = context.task.scorer
    was_judged, before = value_rows(scorer, test, clean)
    is_judged, after = value_rows(scorer, twins.rows, noisy)
    return was_judged[twins.places] & is_judged, before[twins.places], after


def value_rows(scorer: Scorer, rows: TaskData, predictions: Predictions) -> tuple[Flags, Values]:
    """Return which rows the task's metric judges, and the value of each row: hits, or numbers from 0 to 1."""
    whole = (Slice(name="overall", margin=100.0),)
    judged = JudgedRows(rows.targets, rows.outputs, whole, slice_masks(rows, whole))
    scorer.check(predictions, judged, "the variant")
    (part,) = scorer.select(judged)
    known, values = part.judged(scorer.serve(predictions), judged.truth)
    whole_length = np.zeros(len(rows), values.dtype)
    whole_length[known] = values
    return known, whole_length


def _compare(context: Context, twins: Twins, pairs: Pairs, target: str, variant: str) -> list[TwinResult]:
    found = []
    for asked in context.project.twins:
        mask = twins.of(asked.kind) & pairs[0]
        if not mask.any():
            context.note(f"twins: no row has a twin of kind {asked.kind} that keeps its target")
            continue
        clean, noisy = (side[mask] for side in pairs[1:])
        drop = paired_drop("clean", clean, noisy)
        margin = None if asked.margin is None else asked.margin / 100
        means = float(clean.mean()), float(noisy.mean())
        found.append(
            TwinResult(target, variant, asked.kind, *means, drop, twins.left_out[asked.kind], margin)
        )
    return found
