"""Which rows an epoch shows, and how much each of them counts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgekd.distill.losses import oversampled_rows
from edgekd.distill.training.plan import TrainingPlan
from edgekd.distill.training.skipping import skip_easy


class RowDraw:
    """Draws the rows of each epoch; seed and epoch alone decide, so that a killed run goes on alike."""

    def __init__(self, plan: TrainingPlan, rows: int) -> None:
        self._plan, self._rows = plan, rows
        self._counts: npt.NDArray[np.float32] | None = None  # how often a row counts in this epoch

    def draw(self, epoch: int, losses: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
        """Return the row numbers of an epoch, counted from 0.

        `losses` are those of every row, each over the mean of its time: the plan may leave out easy rows.
        """
        weighing, seed = self._plan.weighing, self._plan.session.seed
        drawn: npt.NDArray[np.int64] = np.arange(self._rows)
        if weighing.reviewed is not None:
            drawn = oversampled_rows(weighing.reviewed, weighing.times, seed=seed, epoch=epoch)
        share = self._plan.training.skip_easy
        if share and epoch:
            drawn, self._counts = skip_easy(drawn, losses, share, seed, epoch)
        return drawn

    def weigh(self, picked: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return the weights of some rows in this epoch's loss, shape [picked]."""
        found = np.ones(len(picked), np.float32)
        for weights in (self._plan.weighing.weights, self._counts):
            found = found if weights is None else found * weights[picked]
        return found
