"""What the loop reads: examples as token ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekd.distill.labels.stored import StoredOutputs
from edgekd.distill.learner import Targets
from edgekd.distill.training.tokens import Tokens


@dataclass(frozen=True)
class TokenizedExamples:
    """Examples to learn from or to be judged on, as ids.

    Attributes:
        tokens: Of each row's text.
        targets: Of each row, shape [row], in the learner's form.
        taught: The teacher's outputs [row, output], if it has spoken.
        texts: To name rows in the log; none where the log does not.
    """

    tokens: Tokens
    targets: Targets
    taught: npt.NDArray[np.floating[Any]] | StoredOutputs | None = None
    texts: Sequence[str] = ()
