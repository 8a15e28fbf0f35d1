"""The one training loop: teachers on labels, students on labels and soft labels."""

from __future__ import annotations

import math
import shutil
import time
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
from edgekd.distill.labels.stored import StoredLogits
from edgekd.distill.losses import combined_loss, hard_cross_entropy, soft_divergence
from edgekd.distill.tokens import Tokens, length_batches
from edgekd.errors import TrainingError
from edgekd.progress import Progress, silent

_LOG_EVERY = 20  # steps; reading a loss back costs nothing on a CPU, a line costs 10 microseconds


@dataclass(frozen=True)
class Rows:
    """What a model learns from or is judged on: tokens, class (-1: none), teacher logits if any."""

    tokens: Tokens
    classes: npt.NDArray[np.int64]
    logits: npt.NDArray[np.float16] | StoredLogits | None = None


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

    Raises:
        TrainingError: if the loss is not finite.
    """
    torch.set_num_threads(recipe.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    optimizer = _optimizer(model, recipe.training)
    state = load_checkpoint(resume, model, optimizer)
    writer = events.EventLog(resume / "train.jsonl", epochs=state.epochs)
    try:
        while state.epochs < recipe.training.epochs:
            began = time.perf_counter()
            loss = _one_epoch(model, optimizer, rows, recipe, state, writer, on_progress)
            state.epochs += 1
            found = _judge(model, validation, recipe, state.epochs, loss, time.perf_counter() - began)
            writer.write(found)
            score = found.val_accuracy - 1e-3 * min(found.val_loss, 100.0)
            is_best = score > state.best_score
            if is_best:
                state.best_epoch, state.best_score = state.epochs, score
            state.history.append(found.model_dump(exclude={"time", "seconds"}))
            save_checkpoint(resume, model, optimizer, state, is_best)
    finally:
        writer.close()
    log.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(resume / "train.jsonl", log)
    load_best(resume, model, state)
    model.eval()
    return state


def predict(
    model: torch.nn.Module, tokens: Tokens, *, batch: int = 64, on_progress: Progress = silent
) -> npt.NDArray[np.float32]:
    """Compute logits [row, label] in the rows' order, in batches of like length."""
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


def _optimizer(model: torch.nn.Module, training: Training) -> torch.optim.AdamW:
    decayed = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    plain = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": training.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=training.learning_rate, fused=True)


def _rate(training: Training, step: int, steps: int) -> float:
    warm = max(1, int(training.warmup * steps))
    return training.learning_rate * min((step + 1) / warm, (steps - step) / max(1, steps - warm))


def _tensors(tokens: Tokens, picked: npt.NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    ids, mask = tokens.padded(picked)
    return torch.from_numpy(ids), torch.from_numpy(mask)


def _one_epoch(
    model: torch.nn.Module,
    optimizer: torch.optim.AdamW,
    rows: Rows,
    recipe: Recipe,
    state: Progressed,
    writer: events.EventLog,
    on_progress: Progress,
) -> float:
    training = recipe.training
    torch.manual_seed(recipe.seed * 1000 + state.epochs)
    rng = np.random.default_rng((recipe.seed, state.epochs))
    steps_an_epoch = math.ceil(len(rows.tokens) / training.batch)
    total, done, mark = 0.0, 0, time.perf_counter()
    model.train()
    for picked in length_batches(rows.tokens.lengths, training.batch, rng):
        rate = _rate(training, state.steps, training.epochs * steps_an_epoch)
        for group in optimizer.param_groups:
            group["lr"] = rate
        with autocast():
            logits = model(*_tensors(rows.tokens, picked)).float()
        classes = torch.from_numpy(rows.classes[picked])
        hard = hard_cross_entropy(logits, classes)
        soft = torch.zeros_like(hard)
        losses = hard
        if rows.logits is not None:
            taught = torch.from_numpy(rows.logits[picked].astype(np.float32))
            soft = soft_divergence(logits, taught, recipe.temperature)
            losses = combined_loss(
                logits, taught, classes, alpha=recipe.alpha, temperature=recipe.temperature
            )
        loss = losses.mean()
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        state.steps += 1
        value = loss.item()
        if not math.isfinite(value):
            raise TrainingError(
                f"{recipe.student}: loss is {value} at step {state.steps}; lower training.learning_rate"
            )
        total += value * len(picked)
        done += len(picked)
        if state.steps % _LOG_EVERY == 0:
            now = time.perf_counter()
            speed = _LOG_EVERY * training.batch / (now - mark)
            mark = now
            parts = {"hard_ce": hard.mean().item(), "kd_kl_t2": soft.mean().item()}
            writer.write(_step(recipe, state, len(picked), parts, value, float(norm), rate, speed))
            share = state.steps / (training.epochs * steps_an_epoch)
            on_progress(share, f"epoch {state.epochs + 1} of {training.epochs}, {speed:.0f} rows/s")
    return total / done


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
