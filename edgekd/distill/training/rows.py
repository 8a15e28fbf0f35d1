"""What a model learns from, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekd.config import Training
from edgekd.distill.labels.stored import StoredLogits
from edgekd.distill.losses import oversampled_rows
from edgekd.distill.training.schedule import OUTPUT_ALONE, Schedule
from edgekd.distill.training.tokens import Tokens


@dataclass(frozen=True)
class Rows:
    """What a model learns from or is judged on.

    Attributes:
        tokens: of each row's text.
        classes: of each row; -1 where it has no label.
        logits: the teacher's, if it has spoken.
        weights: of each row in the loss; all alike where there are none.
        texts: to name rows in the log.
        reviewed: rows that an epoch shows several times, as often as the recipe says.
    """

    tokens: Tokens
    classes: npt.NDArray[np.int64]
    logits: npt.NDArray[np.floating[Any]] | StoredLogits | None = None
    weights: npt.NDArray[np.float32] | None = None
    texts: Sequence[str] = ()
    reviewed: npt.NDArray[np.bool_] | None = None

    def draw(self, times: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
        """Return the row numbers of an epoch; reviewed rows are there `times` times."""
        if self.reviewed is None:
            return np.arange(len(self.tokens))
        return oversampled_rows(self.reviewed, times, seed=seed, epoch=epoch)


@dataclass(frozen=True)
class Recipe:
    """How a model is trained; without teacher logits in the rows alpha is of no use.

    Attributes:
        alpha: Weight of the soft loss.
        alphas: Weight of it a class, in the place of `alpha`; empty where all are alike.
        labels: Names of the classes in the log.
        critical: Classes whose recall is the safety recall.
        rare: Classes whose recall the penalty raises.
        penalty: Weight of that penalty.
        times: How often an epoch shows a reviewed row.
        schedule: Weights of the terms epoch by epoch; the output's alone where there is none.
        logits: Share of the squared error of logits in the output's term.
    """

    training: Training
    alpha: float
    temperature: float
    seed: int
    threads: int
    task: str
    student: str
    teacher: str
    labels: tuple[str, ...] = ()
    critical: tuple[int, ...] = ()
    alphas: tuple[float, ...] = ()
    rare: tuple[int, ...] = ()
    penalty: float = 0.0
    times: int = 1
    schedule: Schedule = OUTPUT_ALONE
    logits: float = 0.0
