"""What the loop reads: examples as token ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekd.distill.examples import Examples
from edgekd.distill.labels.stored import StoredOutputs
from edgekd.distill.learner import Learner, Targets
from edgekd.distill.lists import NO_EXAMPLE, Lists, list_requests, widen_table
from edgekd.distill.training.reading import Read
from edgekd.distill.training.tokens import Tokens


@dataclass(frozen=True)
class TokenizedExamples:
    """Rows to learn from or to be judged on, as ids.

    Attributes:
        tokens: Of each row's text, or of each example where rows have several.
        targets: Of each row, shape [row], in the learner's form.
        taught: The teacher's outputs [row, output], if it has spoken.
        texts: To name rows in the log; none where the log does not.
        lists: Which examples are of which row; None where each row is one. Then targets and the teacher's
            outputs are tables [row, place] as wide as the longest row has examples.
    """

    tokens: Tokens
    targets: Targets
    taught: npt.NDArray[np.floating[Any]] | StoredOutputs | None = None
    texts: Sequence[str] = ()
    lists: Lists | None = None

    @property
    def taught_outputs(self) -> npt.NDArray[np.float32] | None:
        """All of the teacher's outputs, in single precision; None where it has not spoken."""
        return None if self.taught is None else self.taught[:].astype(np.float32)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.tokens) if self.lists is None else len(self.lists)


def tokenize_examples(part: Examples, read: Read, learner: Learner) -> TokenizedExamples:
    """Turn the examples of all rows into ids, without names for the log."""
    if learner.list_size is None:
        return TokenizedExamples(read(part.texts), part.targets, part.taught)
    texts, lists = list_requests(part.texts)
    width = lists.places.shape[1]
    taught = None if part.taught is None else widen_table(part.taught[:], width, np.nan)
    targets = widen_table(part.targets, width, NO_EXAMPLE)
    return TokenizedExamples(read(texts), targets, taught, (), lists)
