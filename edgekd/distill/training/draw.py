"""Which rows an epoch shows, and how much each of them counts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgekd.distill.lists import Places, draw_places
from edgekd.distill.losses import oversampled_rows
from edgekd.distill.training.examples import TokenizedExamples
from edgekd.distill.training.plan import TrainingPlan
from edgekd.distill.training.skipping import skip_easy


class RowDraw:
    """Draws the rows of each epoch; seed and epoch alone decide, so that a killed run goes on alike."""

    def __init__(self, plan: TrainingPlan, learn: TokenizedExamples) -> None:
        self._plan, self._learn, self._rows = plan, learn, learn.rows
        self._counts: npt.NDArray[np.float32] | None = None  # how often a row counts in this epoch

    def draw(self, epoch: int, losses: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
        """Return the row numbers of an epoch, counted from 0; a portion leaves out no row.

        `losses` are those of every row, each over the mean of its time: the plan may leave out easy rows.
        """
        seed = self._plan.session.seed
        if self._plan.portion is not None:
            return self._portion(epoch, self._plan.portion)
        drawn = self._pass(epoch)
        share = self._plan.training.skip_easy
        if share and epoch:
            drawn, self._counts = skip_easy(drawn, losses, share, seed, epoch)
        return drawn

    def _pass(self, number: int) -> npt.NDArray[np.int64]:
        """Return the rows of a whole pass, counted from 0, reviewed ones as often as they are shown."""
        weighing, seed = self._plan.weighing, self._plan.session.seed
        if weighing.reviewed is None:
            return np.arange(self._rows)
        return oversampled_rows(weighing.reviewed, weighing.times, seed=seed, epoch=number)

    def _portion(self, epoch: int, size: int) -> npt.NDArray[np.int64]:
        """Return the next rows of passes that are each in an order of its own, laid end to end."""
        length = len(self._pass(0))
        start = epoch * size
        parts = []
        for number in range(start // length, (start + size - 1) // length + 1):
            order = np.random.default_rng((self._plan.session.seed, number, 3)).permutation(length)
            first = max(0, start - number * length)
            parts.append(self._pass(number)[order][first : start + size - number * length])
        return np.concatenate(parts)

    def places(self, epoch: int) -> Places | None:
        """Choose which examples of each row an epoch shows; None where each row is one."""
        size = self._plan.learner.list_size
        if self._learn.lists is None or size is None:
            return None
        rng = np.random.default_rng((self._plan.session.seed, epoch, 2))
        return draw_places(self._learn.targets, size, self._learn.taught is not None, rng)

    def weigh(self, picked: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return the weights of some rows in this epoch's loss, shape [picked]."""
        found = np.ones(len(picked), np.float32)
        for weights in (self._plan.weighing.weights, self._counts):
            found = found if weights is None else found * weights[picked]
        return found
