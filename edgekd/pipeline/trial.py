"""What all variants of a target are judged on and by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edgekd.config import Slice
from edgekd.config.gates import Gates
from edgekd.evaluate.arrays import Flags, Labels
from edgekd.evaluate.predictions import Predictions
from edgekd.pipeline.bench import Bench
from edgekd.stats.interval import Interval


@dataclass(frozen=True, eq=False)
class Trial:
    """The rows with their truth, what is asked of them, the references and the measurement.

    Attributes:
        labels: the classes.
        traffic: the rows drawn as traffic comes; None where all are.
        texts, truth, masks: of the test rows; a mask for each slice.
        references: answers in PyTorch float32: the teacher's under `teacher`, students' under their names.
        people: figures of what people said, by name.
    """

    slices: Sequence[Slice]
    gates: Gates
    labels: tuple[str, ...]
    texts: Sequence[str]
    truth: Labels
    masks: Mapping[str, Flags]
    references: Mapping[str, Predictions]
    bench: Bench
    traffic: Flags | None = None
    people: Mapping[str, Interval] = field(default_factory=dict)
