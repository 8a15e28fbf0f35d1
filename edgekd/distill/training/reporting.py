"""What is told of steps while they run: a line of the log, and how far the training is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from edgekd.distill.logs.event import Event
from edgekd.distill.logs.naming import name_fields
from edgekd.distill.logs.training_events import TrainStep
from edgekd.distill.training.plan import TrainingPlan
from edgekd.distill.training.step import TOTAL, StepLosses
from edgekd.progress import Progress

_LOG_EVERY = 20  # steps; reading a loss back costs nothing on a CPU, a line costs 10 microseconds

Tell = Callable[[Event], None]


@dataclass(frozen=True)
class StepDone:
    """One step of an epoch.

    Attributes:
        number: Counted over all epochs, from 1.
        rows: How many rows it had.
        weight: Sum of their weights.
        losses: What they lose.
        grad_norm: Norm of the gradient before it was clipped.
        rate: Learning rate.
    """

    number: int
    rows: int
    weight: float
    losses: StepLosses
    grad_norm: float
    rate: float


class StepReports:
    """Tells of one step in 20 of an epoch (counted from 0) of so many drawn rows; `tell` writes the log.

    `behind` rows of the epoch lie behind already, where a killed run goes on within it.
    """

    def __init__(
        self,
        plan: TrainingPlan,
        epoch: int,
        drawn: int,
        tell: Tell | None,
        on_progress: Progress,
        behind: int = 0,
    ) -> None:
        self._plan, self._epoch, self._drawn = plan, epoch, drawn
        self._tell, self._on_progress = tell, on_progress
        self._mark, self._marked = time.perf_counter(), behind

    def report(self, step: StepDone, done: int) -> None:
        """Tell of a step if it is its turn; `done` rows of the epoch lie behind."""
        if step.number % _LOG_EVERY:
            return
        now = time.perf_counter()
        speed = (done - self._marked) / (now - self._mark)
        self._mark, self._marked = now, done
        if self._tell is not None:
            self._tell(self._event(step, speed))
        epochs = self._plan.training.epochs
        words = f"epoch {self._epoch + 1} of {epochs}, {speed:.0f} rows/s"
        self._on_progress((self._epoch + done / self._drawn) / epochs, words)

    def _event(self, step: StepDone, speed: float) -> TrainStep:
        means = {name: value / step.weight for name, value in step.losses.sums.items()}
        return TrainStep(
            task=self._plan.session.task,
            epoch=self._epoch + 1,
            global_step=step.number,
            batch_size=step.rows,
            total_loss=means.pop(TOTAL),
            grad_norm=step.grad_norm,
            lr=step.rate,
            throughput_samples_per_sec=speed,
            **name_fields(TrainStep, means, "terms"),
        )
