"""A stretch of a training that can be continued, and the short branch off its end that it is judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from edgekd.distill.logs.dominating import DominatingRows
from edgekd.distill.logs.profile import StageClock
from edgekd.distill.rung import Rung
from edgekd.distill.training.checkpoint import Progressed, load_checkpoint, save_checkpoint
from edgekd.distill.training.device import find_device
from edgekd.distill.training.epoch import Epochs, Going
from edgekd.distill.training.examples import TokenizedExamples
from edgekd.distill.training.memory import kept_memory
from edgekd.distill.training.optimizer import StudentOptimizer
from edgekd.distill.training.plan import TrainingPlan
from edgekd.distill.training.processes import Processes
from edgekd.distill.training.rates import Steady
from edgekd.distill.training.train import prepare_torch
from edgekd.errors import TrainingError
from edgekd.progress import Progress, silent


@kept_memory()
def train_rung(
    model: torch.nn.Module,
    learn: TokenizedExamples,
    plan: TrainingPlan,
    rung: Rung,
    trunk: Path,
    before: Path | None,
    *,
    fresh: Sequence[Tensor] = (),
    on_progress: Progress = silent,
) -> None:
    """Go on from where the rung `before` left its trunk, and end with the weights of the branch.

    `model` is as it is made of its shape; `trunk` is the folder that gets the state to be continued: a
    training in several rungs has there the bits that one over all their rows has. No validation row is
    read: the branch's end is what is judged, and no epoch is chosen.

    Raises:
        TrainingError: if the loss is not finite, or `before` holds no state.
    """
    prepare_torch(plan.session.threads)
    model.to(find_device())
    stop = rung.end + rung.branch
    rates = Steady(rung.warmup, rung.end, stop)
    plan = replace(
        plan,
        training=plan.training.model_copy(update={"epochs": stop}),  # what progress is told against
        rates=rates,
        portion=rung.portion,
    )
    optimizer, state = StudentOptimizer(model, plan.training, fresh), Progressed()
    if before is not None:
        state = load_checkpoint(before, model, optimizer)
    if state.epochs != rung.start:
        raise TrainingError(f"{plan.student}: {before} holds {state.epochs} portions, expected {rung.start}")
    clock, dominating = StageClock(), DominatingRows(learn.rows)
    epochs = Epochs(model, optimizer, learn, plan, Processes(), clock, dominating)
    for number in range(rung.start, stop):
        if number == rung.end:
            state.epochs = rung.end
            trunk.mkdir(parents=True, exist_ok=True)
            save_checkpoint(trunk, model, optimizer, state, is_best=False)
        going = Going(state.steps, None, _start_of_portion, None, None)
        _, state.steps = epochs.run(number, going, on_progress)
    model.to(torch.device("cpu")).eval()


def _start_of_portion() -> None:
    """A rung goes on from the start of a portion alone, where nothing within it is to be put back."""
