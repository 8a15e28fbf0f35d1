"""The one training loop: teachers on labels, students on soft labels too, in one process or several."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edgekd.config import Training
from edgekd.distill import events
from edgekd.distill.checkpoint import Progressed, load_best, load_checkpoint, save_checkpoint
from edgekd.distill.losses import combined_loss, hard_cross_entropy, soft_divergence
from edgekd.distill.optimizer import StudentOptimizer, rate_at
from edgekd.distill.processes import Processes
from edgekd.distill.tokens import Tokens, length_batches
from edgekd.errors import TrainingError
from edgekd.progress import Progress, silent

_LOG_EVERY = 20  # steps; reading a loss back costs nothing on a CPU, a line costs 10 microseconds
# Tokens a batch when only answers are wanted: more is no faster on a CPU.
_PREDICT_TOKENS = 1024


@dataclass(frozen=True)
class Rows:
    """What a model learns from or is judged on.

    Attributes:
        tokens: of each row's text.
        classes: of each row; -1 where it has no label.
        logits: the teacher's, if it has spoken.
        weights: of each row in the loss; all alike where there are none.
    """

    tokens: Tokens
    classes: npt.NDArray[np.int64]
    logits: npt.NDArray[np.float16] | None = None
    weights: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Recipe:
    """How a model is trained; without teacher logits in the rows alpha is of no use."""

    training: Training
    alpha: float
    temperature: float
    seed: int
    threads: int
    task: str
    student: str
    teacher: str


def train(
    model: torch.nn.Module,
    rows: Rows,
    validation: Rows,
    recipe: Recipe,
    *,
    resume: Path,
    log: Path,
    on_progress: Progress = silent,
) -> Progressed:
    """Train `model` in place; it ends with the weights of the epoch best on validation rows.

    `model(ids, mask)` gives logits [row, label]. Best is the highest accuracy, then the lowest
    loss. A checkpoint an epoch in `resume` lets a killed run go on and end with the same bits:
    order and dropout depend on the seed and the epoch alone.

    Started by `torchrun`, the processes share the rows of every step, and take the step that one process
    would: the loss is divided by the weight of the whole step. Only the first writes.

    Raises:
        TrainingError: if the loss is not finite.
    """
    torch.set_num_threads(recipe.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Filling memory that nobody reads takes 8 % of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    processes = Processes()
    taught = processes.wrap(model)
    optimizer = StudentOptimizer(model, recipe.training)
    state = load_checkpoint(resume, model, optimizer)
    writer = events.EventLog(resume / "train.jsonl", epochs=state.epochs) if processes.is_first else None
    try:
        while state.epochs < recipe.training.epochs:
            began = time.perf_counter()
            loss = _one_epoch(taught, optimizer, rows, recipe, state, writer, processes, on_progress)
            state.epochs += 1
            found = _judge(model, validation, recipe, state.epochs, loss, time.perf_counter() - began)
            score = found.val_accuracy - 1e-3 * min(found.val_loss, 100.0)
            is_best = score > state.best_score
            if is_best:
                state.best_epoch, state.best_score = state.epochs, score
            state.history.append(found.model_dump(exclude={"time", "seconds"}))
            if writer is not None:
                writer.write(found)
                save_checkpoint(resume, model, optimizer, state, is_best)
            processes.wait()
    finally:
        if writer is not None:
            writer.close()
    if processes.is_first:
        log.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(resume / "train.jsonl", log)
    load_best(resume, model, state)
    model.eval()
    return state


def predict(
    model: torch.nn.Module, tokens: Tokens, *, batch: int = _PREDICT_TOKENS, on_progress: Progress = silent
) -> npt.NDArray[np.float32]:
    """Compute logits [row, label] in the rows' order, in batches of like length of `batch` tokens."""
    model.eval()
    out: npt.NDArray[np.float32] | None = None
    done = 0
    with torch.inference_mode():
        for picked in length_batches(tokens.lengths, batch):
            with autocast():
                logits = model(*_tensors(tokens, picked)).float().numpy()
            if out is None:
                out = np.empty((len(tokens), logits.shape[1]), dtype=np.float32)
            out[picked] = logits
            done += len(picked)
            on_progress(done / len(tokens), f"{done} of {len(tokens)} texts")
    assert out is not None
    return out


def autocast() -> torch.autocast:
    """Compute in bfloat16 where the CPU has instructions for it, else in float32."""
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=has_bf16())


def has_bf16() -> bool:
    """Tell whether the CPU multiplies bfloat16 in hardware; emulated it is slower than float32."""
    capability = torch.cpu.get_capabilities()
    return bool(capability.get("avx512_bf16") or capability.get("amx_bf16") or capability.get("amx_tile"))


def _tensors(tokens: Tokens, picked: npt.NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    ids, mask = tokens.padded(picked)
    return torch.from_numpy(ids), torch.from_numpy(mask)


@dataclass
class _Part:
    """What one process's rows of a step came to; sums over rows, weighted."""

    loss: Tensor
    hard: Tensor
    soft: Tensor


def _one_epoch(
    model: torch.nn.Module,
    optimizer: StudentOptimizer,
    rows: Rows,
    recipe: Recipe,
    state: Progressed,
    writer: events.EventLog | None,
    processes: Processes,
    on_progress: Progress,
) -> float:
    training = recipe.training
    torch.manual_seed(recipe.seed * 1000 + state.epochs)
    rng = np.random.default_rng((recipe.seed, state.epochs))
    lengths = rows.tokens.lengths
    budget = max(1, round(training.batch * float(lengths.mean())))
    total, weight_sum, done, mark, marked = 0.0, 0.0, 0, time.perf_counter(), 0
    model.train()
    for picked in length_batches(lengths, budget, rng, processes.count * training.accumulate):
        weights = np.ones(len(picked), np.float32) if rows.weights is None else rows.weights[picked]
        step_weight = float(weights.sum())
        share = (state.epochs + (done + len(picked) / 2) / len(lengths)) / training.epochs
        rate = rate_at(training, share)
        loss = hard = soft = torch.zeros(())
        for number, own in enumerate(_shares(picked, training.accumulate, processes)):
            is_last = number == training.accumulate - 1
            with processes.own_gradient(model, is_last):
                part = _forward(model, rows, own, recipe)
                # The processes' gradients are averaged, so that each gives `count` times its share.
                torch.autograd.backward(part.loss * (processes.count / step_weight))
            loss, hard, soft = loss + part.loss.detach(), hard + part.hard, soft + part.soft
        norm = optimizer.step(rate)
        state.steps += 1
        done += len(picked)
        summed = processes.sum(torch.stack([loss, hard, soft]))
        value = float(summed[0]) / step_weight
        if not math.isfinite(value):
            raise TrainingError(
                f"{recipe.student}: loss is {value} at step {state.steps}; lower training.learning_rate"
            )
        total, weight_sum = total + float(summed[0]), weight_sum + step_weight
        if state.steps % _LOG_EVERY == 0:
            now = time.perf_counter()
            speed = (done - marked) / (now - mark)
            mark, marked = now, done
            if writer is not None:
                parts = {
                    "hard_ce": float(summed[1]) / step_weight,
                    "kd_kl_t2": float(summed[2]) / step_weight,
                }
                writer.write(_step(recipe, state, len(picked), parts, value, norm, rate, speed))
            on_progress(
                (state.epochs + done / len(lengths)) / training.epochs,
                f"epoch {state.epochs + 1} of {training.epochs}, {speed:.0f} rows/s",
            )
    return total / weight_sum


def _shares(
    picked: npt.NDArray[np.int64], accumulate: int, processes: Processes
) -> Iterator[npt.NDArray[np.int64]]:
    """Split a step's rows: this process's part of each of its accumulated pieces."""
    for piece in range(accumulate):
        yield picked[piece * processes.count + processes.number :: accumulate * processes.count]


def _forward(model: torch.nn.Module, rows: Rows, own: npt.NDArray[np.int64], recipe: Recipe) -> _Part:
    with autocast():
        logits = model(*_tensors(rows.tokens, own)).float()
    classes = torch.from_numpy(rows.classes[own])
    weights = None if rows.weights is None else torch.from_numpy(rows.weights[own])
    hard = hard_cross_entropy(logits, classes)
    soft = torch.zeros_like(hard)
    losses = hard
    if rows.logits is not None:
        taught = torch.from_numpy(rows.logits[own].astype(np.float32))
        soft = soft_divergence(logits, taught, recipe.temperature)
        losses = combined_loss(logits, taught, classes, alpha=recipe.alpha, temperature=recipe.temperature)
    if weights is not None:
        losses, hard, soft = losses * weights, hard * weights, soft * weights
    return _Part(losses.sum(), hard.detach().sum(), soft.detach().sum())


def _step(
    recipe: Recipe,
    state: Progressed,
    size: int,
    parts: dict[str, float],
    total: float,
    norm: float,
    rate: float,
    speed: float,
) -> events.TrainStep:
    return events.TrainStep(
        time=events.now(),
        task=recipe.task,
        epoch=state.epochs + 1,
        global_step=state.steps,
        batch_size=size,
        hard_ce=parts["hard_ce"],
        kd_kl_t2=parts["kd_kl_t2"],
        total_loss=total,
        grad_norm=norm,
        lr=rate,
        throughput_samples_per_sec=speed,
    )


def _judge(
    model: torch.nn.Module, rows: Rows, recipe: Recipe, epoch: int, loss: float, seconds: float
) -> events.EpochSummary:
    logits = predict(model, rows.tokens)
    answers = logits.argmax(axis=1)
    taught: Any = rows.classes if rows.logits is None else rows.logits.argmax(axis=1)
    hard = hard_cross_entropy(torch.from_numpy(logits), torch.from_numpy(rows.classes))
    return events.EpochSummary(
        time=events.now(),
        task=recipe.task,
        student=recipe.student,
        teacher=recipe.teacher,
        epoch=epoch,
        train_loss=loss,
        val_loss=float(hard.mean()),
        val_accuracy=float((answers == rows.classes).mean()),
        teacher_preference_match=float((answers == taught).mean()),
        seconds=seconds,
    )
