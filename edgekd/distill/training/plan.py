"""How one model is trained."""

from __future__ import annotations

from dataclasses import dataclass

from edgekd.config import Training
from edgekd.distill.diagnosis.stop import Gate
from edgekd.distill.examples import ALIKE, Session, Weighing
from edgekd.distill.learner import Learner
from edgekd.distill.training.rates import LINEAR, Rates
from edgekd.distill.training.schedule import OUTPUT_ALONE, Schedule


@dataclass(frozen=True)
class TrainingPlan:
    """How one model is trained.

    Attributes:
        training: Epochs, rate and batches.
        learner: What an answer is, and what the loss of its terms.
        session: What all trainings of a run share.
        student: Name of the model, in the log.
        teacher: Name of its teacher; its own where it has none.
        weighing: How much each row to learn from counts.
        schedule: Weights of outputs and features, epoch by epoch.
        limits: What figures of the validation rows must hold before an epoch's weights may be kept.
        rates: How the learning rate goes.
        portion: Rows of an epoch, where that is not a pass over all rows: passes are then cut into portions.
    """

    training: Training
    learner: Learner
    session: Session
    student: str
    teacher: str
    weighing: Weighing = ALIKE
    schedule: Schedule = OUTPUT_ALONE
    limits: tuple[Gate, ...] = ()
    rates: Rates = LINEAR
    portion: int | None = None
