"""The one training loop: teachers on targets, students on a teacher's outputs too."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edgekd.distill.diagnosis.score import PROMOTION_SCORE, best_epoch
from edgekd.distill.diagnosis.stop import check_gates, ends_training
from edgekd.distill.learner import RowWords
from edgekd.distill.logs.dominating import DominatingRows
from edgekd.distill.logs.event import Event
from edgekd.distill.logs.events import EventLog
from edgekd.distill.logs.naming import name_fields
from edgekd.distill.logs.profile import StageClock
from edgekd.distill.logs.training_events import EpochSummary
from edgekd.distill.training.checkpoint import (
    Due,
    EpochPlace,
    Progressed,
    load_best,
    load_checkpoint,
    restore_random_states,
    save_checkpoint,
)
from edgekd.distill.training.device import find_device, watch_gpu
from edgekd.distill.training.epoch import EpochLosses, Epochs, Going
from edgekd.distill.training.examples import TokenizedExamples
from edgekd.distill.training.inner import InnerStudent
from edgekd.distill.training.limits import describe_refusal
from edgekd.distill.training.memory import kept_memory
from edgekd.distill.training.optimizer import StudentOptimizer
from edgekd.distill.training.plan import TrainingPlan
from edgekd.distill.training.predict import predict
from edgekd.distill.training.processes import Processes
from edgekd.errors import TrainingError
from edgekd.progress import Progress, silent
from edgekd.store import resume_folder


@kept_memory()
def train(
    model: torch.nn.Module,
    learn: TokenizedExamples,
    validation: TokenizedExamples,
    plan: TrainingPlan,
    folder: Path,
    *,
    fresh: Sequence[Tensor] = (),
    also: Callable[[Event], None] | None = None,
    on_progress: Progress = silent,
) -> Progressed:
    """Train `model` in place; it ends with the weights of the epoch best on validation rows.

    `model(ids, mask)` gives outputs [row, output], or [example, 1] where rows are lists. Best is what the
    learner chooses by, the first of equals. Training ends early where a stop rule says so (`ends_training`).
    A checkpoint per epoch in the folder's `_resume` lets a killed run go on and end with the same bits: order
    and dropout depend on seed and epoch alone. Where the session says so there are some within an epoch, too.
    The log is written there, and at the end to the folder's `logs/train.jsonl`.

    Started by `torchrun`, the processes share the rows of every step, and take the step that one process
    would: the loss is divided by the weight of the whole step. Only the first writes. One process computes
    on a GPU where there is one; several are for the cores of a CPU, or of several machines, and keep no
    checkpoint within an epoch.

    `fresh` are the parameters that nothing has trained before: they learn faster (`StudentOptimizer`).
    `also` is told of every event that the log gets.

    Raises:
        TrainingError: if the loss is not finite, or no epoch holds the plan's limits.
    """
    threads = plan.session.threads
    prepare_torch(threads)
    processes = Processes(has_idle_parts=getattr(model, "has_idle_parts", False))
    device = find_device() if processes.count == 1 else torch.device("cpu")
    model.to(device)
    watch = watch_gpu(device)
    clock = StageClock(gpu=None if watch is None else watch.take)
    if isinstance(model, InnerStudent):
        model.tell_phases(clock.switch)
    optimizer, resume = StudentOptimizer(model, plan.training, fresh), resume_folder(folder)
    state = load_checkpoint(resume, model, optimizer)
    dominating = DominatingRows(learn.rows)
    if state.epochs:
        dominating.load(resume / f"epoch-{state.epochs}.dominating")
    epochs = Epochs(processes.wrap(model), optimizer, learn, plan, processes, clock, dominating)
    writer = None
    if processes.is_first:
        steps = 0 if state.place is None else state.steps
        writer = EventLog(resume / "train.jsonl", state.epochs, also, steps)
    tell = None if writer is None else writer.write

    def restore() -> None:
        dominating.load(resume / f"{state.name}.dominating")
        restore_random_states(resume, state)

    def keep(steps: int, place: EpochPlace) -> None:
        if due.is_now():
            clock.switch("checkpoint")
            state.steps, state.place = steps, place
            dominating.save(resume / f"{state.name}.dominating")
            save_checkpoint(resume, model, optimizer, state, is_best=False)
            clock.switch("input")

    due = Due(plan.session.checkpoint_seconds)
    keeps = keep if plan.session.checkpoint_seconds is not None and processes.count == 1 else None
    try:
        while state.epochs < plan.training.epochs and not state.is_stopped:
            began = time.perf_counter()
            going = Going(state.steps, state.place, restore, keeps, tell)
            losses, state.steps = epochs.run(state.epochs, going, on_progress)
            state.epochs, state.place = state.epochs + 1, None
            clock.switch("judging")
            outputs = predict(model, validation.tokens)
            if validation.lists is not None:
                outputs = validation.lists.fold(outputs)
            found = _judge(outputs, validation, plan, state.epochs, losses, time.perf_counter() - began)
            state.history.append(found.model_dump(exclude={"time", "seconds"}, exclude_none=True))
            history = [EpochSummary.model_validate(entry) for entry in state.history]
            is_best = best_epoch(history) == state.epochs
            state.best_epoch = state.epochs if is_best else state.best_epoch
            state.is_stopped = ends_training(history, plan.training.epochs)
            clock.switch("checkpoint")
            if writer is not None:
                for event in (*_notes(outputs, learn, validation, plan, state.epochs, dominating), found):
                    writer.write(event)
                dominating.save(resume / f"epoch-{state.epochs}.dominating")
                save_checkpoint(resume, model, optimizer, state, is_best)
                writer.write(clock.profile(plan.student, state.epochs, threads=threads))
                due.restart()
            processes.wait()
    finally:
        if writer is not None:
            writer.close()
        if watch is not None:
            watch.close()
    if processes.is_first:
        log = folder / "logs" / "train.jsonl"
        log.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(resume / "train.jsonl", log)
    if not state.best_epoch:
        raise TrainingError(describe_refusal(plan, state.history))
    load_best(resume, model.to(torch.device("cpu")), state)
    model.eval()
    return state


def prepare_torch(threads: int) -> None:
    """Have torch compute the same bits each time, on so many threads."""
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Filling memory that nobody reads takes 8 % of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def _judge(
    outputs: npt.NDArray[np.float32],
    validation: TokenizedExamples,
    plan: TrainingPlan,
    epoch: int,
    losses: EpochLosses,
    seconds: float,
) -> EpochSummary:
    learner = plan.learner
    figures = learner.judge(outputs, validation.targets, validation.taught_outputs)
    choice: dict[str, Any] = {}
    if learner.choice.figure != PROMOTION_SCORE:
        choice = {"chosen_by": learner.choice.figure, "is_higher_better": learner.choice.is_higher_better}
    return EpochSummary(
        task=plan.session.task,
        student=plan.student,
        teacher=plan.teacher,
        epoch=epoch,
        train_loss=losses.total,
        val_rows=int(learner.has_target(validation.targets).sum()),
        seconds=seconds,
        **name_fields(EpochSummary, losses.terms, "train_terms", "train_"),
        **name_fields(EpochSummary, figures, "val_figures"),
        **({"checkpoint_promotable": not check_gates(figures, plan.limits).fires} if plan.limits else {}),
        **choice,
    )


def _notes(
    outputs: npt.NDArray[np.float32],
    learn: TokenizedExamples,
    validation: TokenizedExamples,
    plan: TrainingPlan,
    epoch: int,
    dominating: DominatingRows,
) -> list[Event]:
    """What the log tells beside the summary, where a teacher has spoken and where rows have names."""
    notes: list[Event] = []
    if validation.taught is not None:
        taught = validation.taught[:]
        notes += plan.learner.tell_slices(epoch, outputs, validation.targets, taught)
    if learn.texts:

        def describe(rows: npt.NDArray[np.int64]) -> list[RowWords]:
            taught = None if learn.taught is None else learn.taught[rows]
            return plan.learner.describe(learn.targets[rows], taught)

        notes.append(dominating.event(plan.student, epoch, learn.texts, describe))
    return notes
