"""The one training loop: teachers on labels, students on soft labels too, in one process or several."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from edgekd.distill.diagnosis.score import best_epoch, validation_figures
from edgekd.distill.diagnosis.stop import ends_training
from edgekd.distill.logs import events
from edgekd.distill.logs.class_slices import class_slices
from edgekd.distill.logs.dominating import DominatingRows
from edgekd.distill.logs.profile import StageClock
from edgekd.distill.losses import hard_cross_entropy
from edgekd.distill.training.checkpoint import Progressed, load_best, load_checkpoint, save_checkpoint
from edgekd.distill.training.device import find_device
from edgekd.distill.training.epoch import EpochLosses, Epochs
from edgekd.distill.training.optimizer import StudentOptimizer
from edgekd.distill.training.predict import predict
from edgekd.distill.training.processes import Processes
from edgekd.distill.training.rows import Recipe, Rows
from edgekd.progress import Progress, silent


def train(
    model: torch.nn.Module,
    rows: Rows,
    validation: Rows,
    recipe: Recipe,
    *,
    resume: Path,
    log: Path,
    fresh: Sequence[Tensor] = (),
    also: Callable[[events.Event], None] | None = None,
    on_progress: Progress = silent,
) -> Progressed:
    """Train `model` in place; it ends with the weights of the epoch best on validation rows.

    `model(ids, mask)` gives logits [row, label]. Best is the highest promotion score, the first of equals.
    Training ends early where a stop rule says so (`ends_training`). A checkpoint an epoch in `resume` lets
    a killed run go on and end with the same bits: order and dropout depend on seed and epoch alone.

    Started by `torchrun`, the processes share the rows of every step, and take the step that one process
    would: the loss is divided by the weight of the whole step. Only the first writes. One process computes
    on a GPU where there is one; several are for the cores of a CPU, or of several machines.

    `fresh` are the parameters that nothing has trained before: they learn faster (`StudentOptimizer`).
    `also` is told of every event that the log gets.

    Raises:
        TrainingError: if the loss is not finite.
    """
    torch.set_num_threads(recipe.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Filling memory that nobody reads takes 8 % of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    processes, clock = Processes(has_idle_parts=getattr(model, "has_idle_parts", False)), StageClock()
    model.to(find_device() if processes.count == 1 else torch.device("cpu"))
    optimizer = StudentOptimizer(model, recipe.training, fresh)
    state = load_checkpoint(resume, model, optimizer)
    dominating = DominatingRows(len(rows.tokens))
    if state.epochs:
        dominating.load(resume / f"epoch-{state.epochs}.dominating")
    epochs = Epochs(processes.wrap(model), optimizer, rows, recipe, processes, clock, dominating)
    writer = events.EventLog(resume / "train.jsonl", state.epochs, also) if processes.is_first else None
    try:
        while state.epochs < recipe.training.epochs and not state.is_stopped:
            began = time.perf_counter()
            losses, state.steps = epochs.run(state.epochs, state.steps, writer, on_progress)
            state.epochs += 1
            clock.switch("judging")
            logits = predict(model, validation.tokens)
            found = _judge(logits, validation, recipe, state.epochs, losses, time.perf_counter() - began)
            state.history.append(found.model_dump(exclude={"time", "seconds"}, exclude_none=True))
            history = [events.EpochSummary.model_validate(entry) for entry in state.history]
            is_best = best_epoch(history) == state.epochs
            state.best_epoch = state.epochs if is_best else state.best_epoch
            state.is_stopped = ends_training(history, recipe.training.epochs)
            clock.switch("checkpoint")
            if writer is not None:
                for event in (*_notes(logits, rows, validation, recipe, state.epochs, dominating), found):
                    writer.write(event)
                dominating.save(resume / f"epoch-{state.epochs}.dominating")
                save_checkpoint(resume, model, optimizer, state, is_best)
                writer.write(clock.profile(recipe.student, state.epochs, threads=recipe.threads))
            processes.wait()
    finally:
        if writer is not None:
            writer.close()
    if processes.is_first:
        log.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(resume / "train.jsonl", log)
    load_best(resume, model.to(torch.device("cpu")), state)
    model.eval()
    return state


def _judge(
    logits: np.ndarray, rows: Rows, recipe: Recipe, epoch: int, losses: EpochLosses, seconds: float
) -> events.EpochSummary:
    hard = hard_cross_entropy(torch.from_numpy(logits), torch.from_numpy(rows.classes))
    taught = None if rows.logits is None else rows.logits[:].astype(np.float32)
    return events.EpochSummary(
        task=recipe.task,
        student=recipe.student,
        teacher=recipe.teacher,
        epoch=epoch,
        train_loss=losses.total,
        train_hard_ce=losses.hard,
        train_kd_kl_t2=losses.soft,
        train_feature_mse=losses.hidden,
        train_attention_mse=losses.attention,
        val_loss=float(hard.mean()),
        val_rows=len(rows.classes),
        seconds=seconds,
        **validation_figures(logits, taught, rows.classes, recipe.critical),
    )


def _notes(
    logits: np.ndarray, rows: Rows, validation: Rows, recipe: Recipe, epoch: int, dominating: DominatingRows
) -> list[events.Event]:
    """What the log tells beside the summary, where the rows' labels and texts are known."""
    notes: list[events.Event] = []
    if recipe.labels and validation.logits is not None:
        taught = np.asarray(validation.logits.argmax(axis=1))
        notes += class_slices(
            epoch,
            logits.argmax(axis=1),
            taught,
            validation.classes,
            recipe.labels,
            np.array(recipe.alphas or recipe.alpha),
        )
    if recipe.labels and rows.texts:
        notes.append(
            dominating.event(recipe.student, epoch, rows.texts, rows.classes, recipe.labels, rows.logits)
        )
    return notes
