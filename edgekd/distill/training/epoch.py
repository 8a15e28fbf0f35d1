"""One pass over the training rows."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edgekd.distill.logs import events
from edgekd.distill.logs.dominating import DominatingRows
from edgekd.distill.logs.profile import StageClock
from edgekd.distill.training.device import autocast, device_of
from edgekd.distill.training.objective import Objective
from edgekd.distill.training.optimizer import StudentOptimizer, rate_at
from edgekd.distill.training.predict import padded_tensors
from edgekd.distill.training.processes import Processes
from edgekd.distill.training.rows import Recipe, Rows
from edgekd.distill.training.schedule import StageWeights
from edgekd.distill.training.skipping import skip_easy
from edgekd.distill.training.tokens import length_batches
from edgekd.errors import TrainingError
from edgekd.progress import Progress

_LOG_EVERY = 20  # steps; reading a loss back costs nothing on a CPU, a line costs 10 microseconds


@dataclass(frozen=True)
class EpochLosses:
    """Weighted means over an epoch's rows; `hard` over those with a label, the last two of features."""

    total: float
    hard: float
    soft: float | None
    hidden: float | None = None
    attention: float | None = None


class Epochs:
    """Runs epochs of one training; what goes on from epoch to epoch is held here."""

    def __init__(
        self,
        model: torch.nn.Module,
        optimizer: StudentOptimizer,
        rows: Rows,
        recipe: Recipe,
        processes: Processes,
        clock: StageClock,
        dominating: DominatingRows,
    ) -> None:
        self._model, self._optimizer, self._rows, self._recipe = model, optimizer, rows, recipe
        self._processes, self._clock, self._dominating = processes, clock, dominating
        self._device = device_of(model)
        self._objective = Objective(recipe, self._device)
        self._counts: npt.NDArray[np.float32] | None = None  # how often a row counts in this epoch

    def run(
        self, epoch: int, steps: int, writer: events.EventLog | None, on_progress: Progress
    ) -> tuple[EpochLosses, int]:
        """Run one epoch (counted from 0) after `steps` steps; return its losses, and the steps so far.

        Raises:
            TrainingError: if the loss is not finite.
        """
        recipe, training, lengths = self._recipe, self._recipe.training, self._rows.tokens.lengths
        torch.manual_seed(recipe.seed * 1000 + epoch)
        rng = np.random.default_rng((recipe.seed, epoch))
        budget = max(1, round(training.batch * float(lengths.mean())))
        drawn = self._rows.draw(recipe.times, recipe.seed, epoch)
        if training.skip_easy and epoch:
            known = self._dominating.relative
            drawn, self._counts = skip_easy(drawn, known, training.skip_easy, recipe.seed, epoch)
        stage = recipe.schedule.weights(epoch)
        pieces = training.accumulate * self._processes.count
        sums, weight_sum, labelled_sum = np.zeros(5), 0.0, 0.0
        done, mark, marked = 0, time.perf_counter(), 0
        self._model.train()
        for batch in length_batches(lengths[drawn], budget, rng, pieces):
            picked = drawn[batch]
            weights = self._weights(picked)
            step_weight = float(weights.sum())
            share = (epoch + (done + len(picked) / 2) / len(drawn)) / training.epochs
            rate = rate_at(training, share)
            found = self._step(picked, step_weight, stage)
            norm = self._optimizer.step(rate)
            self._clock.switch("input")
            steps, done = steps + 1, done + len(picked)
            self._clock.count(len(picked), int(lengths[picked].sum()))
            if not math.isfinite(found[0]):
                raise TrainingError(
                    f"{recipe.student}: loss is {found[0]} at step {steps}; lower training.learning_rate"
                )
            sums, weight_sum = sums + found, weight_sum + step_weight
            labelled_sum += float(weights[self._rows.classes[picked] >= 0].sum())
            if steps % _LOG_EVERY == 0:
                now = time.perf_counter()
                speed = (done - marked) / (now - mark)
                mark, marked = now, done
                if writer is not None:
                    means = found / step_weight
                    writer.write(
                        events.TrainStep(
                            task=recipe.task,
                            epoch=epoch + 1,
                            global_step=steps,
                            batch_size=len(picked),
                            hard_ce=means[1],
                            kd_kl_t2=means[2],
                            total_loss=means[0],
                            feature_mse=means[3] if stage.reads_features else None,
                            attention_mse=means[4] if stage.reads_features else None,
                            grad_norm=norm,
                            lr=rate,
                            throughput_samples_per_sec=speed,
                        )
                    )
                words = f"epoch {epoch + 1} of {training.epochs}, {speed:.0f} rows/s"
                on_progress((epoch + done / len(drawn)) / training.epochs, words)
        self._dominating.end_epoch()
        total, hard, soft, *inner = sums / weight_sum
        has_teacher = self._rows.logits is not None
        hard = hard * weight_sum / labelled_sum if labelled_sum else 0.0
        shown = inner if stage.reads_features else (None, None)
        return EpochLosses(total, hard, soft if has_teacher else None, *shown), steps

    def _weights(self, picked: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        found = np.ones(len(picked), np.float32)
        for weights in (self._rows.weights, self._counts):
            found = found if weights is None else found * weights[picked]
        return found

    def _step(
        self, picked: npt.NDArray[np.int64], step_weight: float, stage: StageWeights
    ) -> npt.NDArray[np.float64]:
        """Compute the gradient of a step; return its sums over all processes, as in `EpochLosses`."""
        rare = self._objective.rare_counts(self._tensor(self._rows.classes[picked]))
        sums, losses = torch.zeros(5), torch.zeros(len(picked))
        for number, places in enumerate(self._shares(len(picked))):
            is_last = number == self._recipe.training.accumulate - 1
            with self._processes.own_gradient(self._model, is_last):
                loss, parts, losses[places] = self._forward(picked[places], stage, rare, step_weight)
                # The processes' gradients are averaged, so that each gives `count` times its share.
                torch.autograd.backward(loss * (self._processes.count / step_weight))
            sums += parts
        heard = self._processes.sum(torch.cat([sums, losses])).numpy()
        self._dominating.record(picked, heard[5:])
        return np.asarray(heard[:5], np.float64)

    def _shares(self, rows: int) -> Iterator[npt.NDArray[np.int64]]:
        """Split a step's rows: the places of this process's part of each of its accumulated pieces."""
        pieces, count = self._recipe.training.accumulate, self._processes.count
        for piece in range(pieces):
            yield np.arange(piece * count + self._processes.number, rows, pieces * count)

    def _forward(
        self, own: npt.NDArray[np.int64], stage: StageWeights, rare: Tensor, step_weight: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the weighted sum of rows' losses; on the CPU its terms, as in `EpochLosses`, and each row's.

        The penalty for rare classes is of a whole step: it enters with the step's weight.
        """
        rows = self._rows
        self._clock.switch("input")
        ids, mask = padded_tensors(rows.tokens, own, self._device)
        classes = self._tensor(rows.classes[own])
        taught = None if rows.logits is None else self._tensor(rows.logits[own].astype(np.float32))
        weights = self._tensor(self._weights(own))
        self._clock.switch("student")
        terms = None
        with autocast(self._device):
            if stage.reads_features:
                logits, terms = self._model(ids, mask, matches=True)
            else:
                logits = self._model(ids, mask)
            logits = logits.float()
        losses = self._objective.losses(logits, taught, classes)
        total = stage.total(losses.total, terms)
        loss = (total * weights).sum()
        penalty = self._objective.penalty(logits, classes, rare)
        if penalty is not None:
            loss = loss + stage.output * step_weight * penalty
        none = torch.zeros_like(losses.hard)
        inner = (none, none) if terms is None else (terms.hidden, terms.attention + terms.relation)
        sums = [(part.detach() * weights).sum() for part in (losses.hard, losses.soft, *inner)]
        return loss, torch.stack([loss.detach(), *sums]).cpu(), losses.total.detach().cpu()

    def _tensor(self, values: npt.NDArray[Any]) -> Tensor:
        return torch.from_numpy(values).to(self._device)
