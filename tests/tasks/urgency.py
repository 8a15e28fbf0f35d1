"""A task that edgekd does not bring: a text in, how urgent it is from 0 to 1 out.

It is the proof that a task needs no line changed in edgekd. A project file names it as
`urgency:TASK`, with this folder on PYTHONPATH.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from edgekd.errors import DataError, SliceError, unknown_name
from edgekd.evaluate.scorer import Detail
from edgekd.evaluate.slice_rows import SliceRows
from edgekd.tasks import Task
from edgekd.tasks.learning import ScoreLearning
from edgekd.words import SCORE

NEAR = 0.1
METRICS = ("closeness", "within a tenth")


class UrgencyReader:
    """Targets are numbers from 0 to 1."""

    kind = pa.float64()

    def request(self, row):
        return row["text"]

    def check(self, target, where):
        if not isinstance(target, int | float) or math.isnan(target) or not 0 <= target <= 1:
            raise DataError(f"{where}: urgency must be a number from 0 to 1, got {target!r}")

    def find_outputs(self, rows, source):
        return ("score",)

    def stratum(self, target):
        return math.floor(5 * target)

    def encode(self, targets, outputs):
        return np.array([math.nan if target is None else target for target in targets], np.float32)

    def is_known(self, targets):
        return ~np.isnan(targets)

    def describe(self, train, outputs):
        return f"urgency: {train.min():.2f} to {train.max():.2f}, mean {train.mean():.2f}"


@dataclass(frozen=True, eq=False, kw_only=True)
class UrgencyRows(SliceRows):
    """A slice by how near answers are: one less the distance, or whether it is at most a tenth."""

    @property
    def are_hits(self):
        return self.metric == METRICS[1]

    def values(self, served, truth):
        distance = np.abs(served[self.rows] - truth[self.rows])
        return distance <= NEAR if self.are_hits else 1 - distance


class UrgencyScorer:
    """Answers are numbers; nothing is known of them beside how near they are."""

    is_softened = False

    def check(self, predictions, rows, whose):
        if predictions.outputs.shape != (len(rows.truth), 1):
            raise DataError(f"predictions of {whose}: expected one number a row")

    def serve(self, predictions):
        return 1 / (1 + np.exp(-predictions.outputs[:, 0].astype(np.float64)))

    def baselines(self, rows):
        return {}

    def select(self, rows):
        found = []
        for entry in rows.slices:
            metric = entry.metric or METRICS[0]
            if metric not in METRICS or entry.classes:
                raise SliceError(f"slice '{entry.name}': {unknown_name('metric', metric, METRICS)}")
            found.append(
                UrgencyRows(
                    slice=entry,
                    name=entry.name,
                    metric=metric,
                    rows=rows.masks[entry.name],
                    margin=None if entry.margin is None else entry.margin / 100,
                    at_least=None if entry.at_least is None else entry.at_least / 100,
                )
            )
        return tuple(found)

    def weigh(self, rows):
        return None

    def agreement(self, served, taught):
        return np.abs(served - taught) <= NEAR

    def describe(self, rows, predictions, taught, temperature):
        return Detail()

    def figures(self, asked, rows, predictions, temperature):
        return {}


TASK = Task(
    name="urgency:TASK",
    head="score",
    learning=ScoreLearning(),
    reader=UrgencyReader(),
    scorer=UrgencyScorer(),
    words=replace(SCORE, quality=METRICS[0]),
)
