"""What a model learns from, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgekd.config import Training
from edgekd.distill.labels.stored import StoredLogits
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
    """

    tokens: Tokens
    classes: npt.NDArray[np.int64]
    logits: npt.NDArray[np.float16] | StoredLogits | None = None
    weights: npt.NDArray[np.float32] | None = None
    texts: Sequence[str] = ()


@dataclass(frozen=True)
class Recipe:
    """How a model is trained; without teacher logits in the rows alpha is of no use.

    `labels` names the classes in the log; `critical` are the classes whose recall is the safety recall.
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
