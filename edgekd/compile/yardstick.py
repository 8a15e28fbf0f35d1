"""What restoring operators is judged by: where an answer stands, what it is worth, what a slice loses.

Rounding moves an answer's standing a little with each operator. What the standing is and how much it is worth
depends on the head; how operators are chosen (`restore`) does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from edgekd.errors import ConfigError
from edgekd.evaluate.drop import paired_drop
from edgekd.evaluate.result import Drop
from edgekd.evaluate.slice_rows import SliceRows
from edgekd.serving.heads import Head

if TYPE_CHECKING:
    import torch

Outputs = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


class Yardstick(Protocol):
    """Judges answers to a fixed list of rows."""

    def follow(self, outputs: torch.Tensor, rows: npt.NDArray[np.int64]) -> torch.Tensor:
        """Return where the answers to these rows stand [row], for gradients, by outputs [row, output]."""
        ...

    def stand(self, outputs: Outputs) -> Outputs:
        """Return where the answer to each row stands [row], by the outputs [row, output] to all rows."""
        ...

    def value(self, standing: Outputs, noise: float) -> float:
        """Return what answers that stand so [row] are worth together, if that is known up to some noise."""
        ...

    def drop(self, rows: SliceRows, outputs: Outputs) -> Drop:
        """Return how much a slice loses against the reference by the outputs [row, output] to all rows."""
        ...

    def drop_in_fp32(self, rows: SliceRows) -> Drop:
        """Return how much the student in fp32 loses against the reference on a slice."""
        ...


class LabelYardstick:
    """An answer stands by its margin, the truth's logit less the best other one; it is worth a hit above 0.

    All labels are of the same rows [row]: the truth, what the reference answers and what the student answers
    in fp32.
    """

    def __init__(self, truth: Labels, reference: Labels, exact: Labels) -> None:
        self._truth, self._reference, self._exact = truth, reference, exact

    def follow(self, outputs: torch.Tensor, rows: npt.NDArray[np.int64]) -> torch.Tensor:
        """Return the margins of these rows [row], to be differentiated."""
        import torch

        truth = torch.from_numpy(self._truth[rows])[:, None]
        own = outputs.gather(1, truth)[:, 0]
        return own - outputs.scatter(1, truth, -torch.inf).amax(1)

    def stand(self, outputs: Outputs) -> Outputs:
        """Return the margin of each row [row]."""
        rows = np.arange(len(self._truth))
        others = outputs.copy()
        others[rows, self._truth] = -np.inf
        return np.asarray(outputs[rows, self._truth] - others.max(1), np.float32)

    def value(self, standing: Outputs, noise: float) -> float:
        """Return the expected hits where margins are known up to some noise (logistic with that scale)."""
        return float((1 / (1 + np.exp(-np.clip(standing / noise, -30, 30)))).sum())

    def drop(self, rows: SliceRows, outputs: Outputs) -> Drop:
        """Return how many more of the reference's labels are right."""
        return self._drop(rows, outputs.argmax(1))

    def drop_in_fp32(self, rows: SliceRows) -> Drop:
        """Return the same of the student in fp32."""
        return self._drop(rows, self._exact)

    def _drop(self, rows: SliceRows, predicted: Labels) -> Drop:
        truth = self._truth
        return paired_drop("reference", rows.values(self._reference, truth), rows.values(predicted, truth))


def open_yardstick(head: Head, truth: Labels, reference: Labels, exact: Labels) -> Yardstick:
    """Return what answers of this head are judged by.

    Raises:
        ConfigError: there is nothing yet by which operators are chosen for this head.
    """
    if not head.labels:
        raise ConfigError(
            f"restore: operators are chosen by margins between labels, and the head {head.name} has none; "
            "leave out restore"
        )
    return LabelYardstick(truth, reference, exact)
