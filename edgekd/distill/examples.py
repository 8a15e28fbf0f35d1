"""What a model is taught: texts, what they should get, what a teacher says of them, and how they count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekd.distill.diagnosis.stop import Gate
from edgekd.distill.labels.stored import StoredOutputs
from edgekd.distill.learner import Learner, Targets


@dataclass(frozen=True)
class Examples:
    """Texts to learn from or to be judged on, one per row.

    Attributes:
        texts: In the order of the rows.
        targets: What each should get, shape [row], in the learner's form.
        taught: The teacher's outputs [row, output] where it has spoken; from a label store they stay on disk,
            in half precision, until rows of them are asked for.
    """

    texts: Sequence[str]
    targets: Targets
    taught: StoredOutputs | npt.NDArray[np.floating[Any]] | None = None


@dataclass(frozen=True)
class Weighing:
    """How much each row to learn from counts, and how often it is shown.

    Attributes:
        weights: Of each row in the loss, shape [row]; None where all are alike.
        reviewed: Rows that an epoch shows `times` times, shape [row]; None where there are none.
        times: How often.
        soft_at_most: Largest weight of the terms against a teacher, of each row, shape [row]; None where no
            row has one.
    """

    weights: npt.NDArray[np.float32] | None = None
    reviewed: npt.NDArray[np.bool_] | None = None
    times: int = 1
    soft_at_most: npt.NDArray[np.float32] | None = None


ALIKE = Weighing()
"""All rows count alike."""


@dataclass(frozen=True)
class Lesson:
    """What a model is taught, how it is judged, and how the rows to learn from count.

    `limits` are what figures of the validation rows must hold before an epoch's weights may be kept.
    """

    learner: Learner
    learn: Examples
    validation: Examples
    weighing: Weighing = ALIKE
    limits: tuple[Gate, ...] = ()


@dataclass(frozen=True)
class Session:
    """What all trainings of one run share: the task's name for the log, the seed, threads of the CPU.

    After `checkpoint_seconds` within an epoch the place is kept; None keeps it at the end of epochs alone.
    """

    task: str
    seed: int
    threads: int
    checkpoint_seconds: float | None = None
