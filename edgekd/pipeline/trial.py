"""What all variants of a target are judged on and by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edgekd.config.gates import Gates
from edgekd.evaluate.predictions import Predictions
from edgekd.evaluate.scorer import JudgedRows, Scorer
from edgekd.pipeline.bench import Bench
from edgekd.stats.interval import Interval


@dataclass(frozen=True, eq=False)
class Trial:
    """The rows with what is right, what is asked of them, the references and the measurement.

    Attributes:
        rows, texts: the test rows.
        scorer: of the task.
        references: answers in PyTorch float32: the teacher's under `teacher`, students' under their names.
        people: figures of what people said, by name.
    """

    rows: JudgedRows
    texts: Sequence[str]
    scorer: Scorer
    gates: Gates
    references: Mapping[str, Predictions]
    bench: Bench
    people: Mapping[str, Interval] = field(default_factory=dict)
