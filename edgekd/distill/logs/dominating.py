"""Rows that dominate their batches epoch after epoch: wrong labels, and texts too hard for the student."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int

from edgekd.distill.learner import RowWords
from edgekd.distill.logs.training_events import DominatingExample, DominatingExamples

TIMES_BATCH_MEAN = 1.5
"""A row dominates a batch where its loss is over this many times the batch's mean."""
SHOWN = 20
"""How many rows an event lists; it counts all."""
_LONGEST = 200  # characters of a text in a log
_NEW_SHARE = 0.05  # of a batch's mean loss in the running mean

Picked = Int[np.ndarray, " picked"]


class DominatingRows:
    """Follows every row's combined loss over the epochs; memory is 18 bytes per row.

    A row that is drawn more than once an epoch dominates it where it does so once. `relative` is a row's
    latest loss over the mean loss of that time, [row]: losses fall so fast that those of an epoch's first
    rows tell nothing beside those of its last.
    """

    def __init__(self, rows: int) -> None:
        self._over: npt.NDArray[np.bool_] = np.zeros(rows, dtype=np.bool_)
        self._met: npt.NDArray[np.bool_] = np.zeros(rows, dtype=np.bool_)
        self._latest: npt.NDArray[np.float32] = np.zeros(rows, dtype=np.float32)
        self.epochs_over: npt.NDArray[np.uint16] = np.zeros(rows, dtype=np.uint16)
        self.epochs_seen: npt.NDArray[np.uint16] = np.zeros(rows, dtype=np.uint16)
        self.mean_loss: npt.NDArray[np.float32] = np.zeros(rows, dtype=np.float32)
        self.relative: npt.NDArray[np.float32] = np.ones(rows, dtype=np.float32)
        self._level: float | None = None

    def record(self, picked: Picked, losses: Float[np.ndarray, " picked"]) -> None:
        """Take the combined losses of one batch, in the order of its rows."""
        self._met[picked] = True
        self._latest[picked] = losses
        mean = float(losses.mean())
        self._level = mean if self._level is None else self._level + _NEW_SHARE * (mean - self._level)
        self.relative[picked] = losses / max(self._level, 1e-9)
        self._over[picked[losses > TIMES_BATCH_MEAN * losses.mean()]] = True

    def end_epoch(self) -> None:
        """Count the epoch that has ended; one that a kill cut is never counted."""
        met = self._met
        self.epochs_over += self._over
        self.epochs_seen += met
        seen = self.epochs_seen[met]
        self.mean_loss[met] += (self._latest[met] - self.mean_loss[met]) / seen
        self._over[:] = self._met[:] = False
        self._level = None

    def persistent(self, least: int) -> Int[np.ndarray, " persistent"]:
        """Return the rows that dominated in at least `least` epochs, the highest mean loss first."""
        found = np.flatnonzero(self.epochs_over >= max(1, least))
        order = np.lexsort((found, -self.mean_loss[found]))
        return np.asarray(found[order], dtype=np.int64)

    def event(
        self,
        student: str,
        epoch: int,
        texts: Sequence[str],
        describe: Callable[[Picked], Sequence[RowWords]],
    ) -> DominatingExamples:
        """Count the persistent rows: those that dominated in half of the epochs seen, and in two.

        `describe` says of some rows what they should get and what the teacher says. Rows that should get
        nothing, as copies that were made and unlabelled ones, are listed after the others: they have no label
        that could be wrong.
        """
        wanted = max(2, math.ceil(int(self.epochs_seen.max(initial=0)) / 2))
        rows = self.persistent(wanted)
        found = zip(rows, describe(rows), strict=True)
        shown = sorted(found, key=lambda pair: not (pair[1].class_name or pair[1].target))[:SHOWN]
        return DominatingExamples(
            student=student,
            epoch=epoch,
            times_batch_mean=TIMES_BATCH_MEAN,
            least_epochs=wanted,
            count=len(rows),
            rows=len(self.epochs_seen),
            examples=tuple(
                DominatingExample(
                    row=int(row),
                    text=texts[row][:_LONGEST],
                    epochs_over=int(self.epochs_over[row]),
                    epochs_seen=int(self.epochs_seen[row]),
                    mean_loss=float(self.mean_loss[row]),
                    **words._asdict(),
                )
                for row, words in shown
            ),
        )

    def save(self, path: Path) -> None:
        """Keep what was shown so far, for a run that is killed and goes on; also within an epoch."""
        with path.open("wb") as file:
            np.savez(
                file,
                over=self.epochs_over,
                seen=self.epochs_seen,
                loss=self.mean_loss,
                relative=self.relative,
                now_over=self._over,
                now_met=self._met,
                now_loss=self._latest,
                now_level=np.array([] if self._level is None else [self._level]),
            )

    def load(self, path: Path) -> None:
        """Go on from what `save` kept."""
        with np.load(path, allow_pickle=False) as kept:
            self.epochs_over, self.epochs_seen = kept["over"], kept["seen"]
            self.mean_loss, self.relative = kept["loss"], kept["relative"]
            self._over, self._met, self._latest = kept["now_over"], kept["now_met"], kept["now_loss"]
            level = kept["now_level"].tolist()
        self._level = level[0] if level else None
