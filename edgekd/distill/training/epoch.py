"""One pass over the training rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from edgekd.distill.logs.dominating import DominatingRows
from edgekd.distill.logs.profile import StageClock
from edgekd.distill.training.draw import RowDraw
from edgekd.distill.training.examples import TokenizedExamples
from edgekd.distill.training.optimizer import StudentOptimizer, rate_at
from edgekd.distill.training.plan import TrainingPlan
from edgekd.distill.training.processes import Processes
from edgekd.distill.training.reporting import StepDone, StepReports, Tell
from edgekd.distill.training.step import TOTAL, StepGradient
from edgekd.distill.training.tokens import length_batches
from edgekd.errors import TrainingError
from edgekd.progress import Progress


@dataclass(frozen=True)
class EpochLosses:
    """Weighted means over an epoch's rows; a term against targets is over the rows that have one.

    Terms that the epoch had no use for, without a teacher or without features, are absent.
    """

    total: float
    terms: Mapping[str, float]


@dataclass
class _Sums:
    """What the steps of an epoch add up to: losses times weights, by name, and the weights of rows."""

    by_name: dict[str, float] = field(default_factory=dict)
    weight: float = 0.0
    weight_with_target: float = 0.0

    def add(self, losses: Mapping[str, float], weight: float, weight_with_target: float) -> None:
        for name, value in losses.items():
            self.by_name[name] = self.by_name.get(name, 0.0) + value
        self.weight += weight
        self.weight_with_target += weight_with_target


class Epochs:
    """Runs epochs of one training; what goes on from epoch to epoch is held here."""

    def __init__(
        self,
        model: torch.nn.Module,
        optimizer: StudentOptimizer,
        learn: TokenizedExamples,
        plan: TrainingPlan,
        processes: Processes,
        clock: StageClock,
        dominating: DominatingRows,
    ) -> None:
        self._model, self._optimizer, self._learn, self._plan = model, optimizer, learn, plan
        self._pieces = plan.training.accumulate * processes.count
        self._clock, self._dominating = clock, dominating
        self._gradient = StepGradient(model, plan, learn, processes, clock)
        self._draw = RowDraw(plan, learn)

    def run(
        self, epoch: int, steps: int, tell: Tell | None, on_progress: Progress
    ) -> tuple[EpochLosses, int]:
        """Run one epoch (counted from 0) after `steps` steps; return its losses, and the steps so far.

        Raises:
            TrainingError: if the loss is not finite.
        """
        plan, training, lengths = self._plan, self._plan.training, self._learn.tokens.lengths
        places = self._draw.places(epoch)
        if self._learn.lists is not None and places is not None:
            lengths = self._learn.lists.sums(lengths, places)
        torch.manual_seed(plan.session.seed * 1000 + epoch)
        rng = np.random.default_rng((plan.session.seed, epoch))
        budget = max(1, round(training.batch * float(lengths.mean())))
        drawn = self._draw.draw(epoch, self._dominating.relative)
        stage = plan.schedule.weights(epoch)
        reports = StepReports(plan, epoch, len(drawn), tell, on_progress)
        sums, done = _Sums(), 0
        self._model.train()
        for batch in length_batches(lengths[drawn], budget, rng, self._pieces):
            picked = drawn[batch]
            weights = self._draw.weigh(picked)
            rate = rate_at(training, (epoch + (done + len(picked) / 2) / len(drawn)) / training.epochs)
            shown = None if places is None else places[picked]
            losses = self._gradient.compute(picked, weights, stage, shown)
            self._dominating.record(picked, losses.rows)
            norm = self._optimizer.step(rate)
            self._clock.switch("input")
            steps, done = steps + 1, done + len(picked)
            self._clock.count(len(picked), int(lengths[picked].sum()))
            if not math.isfinite(losses.sums[TOTAL]):
                raise TrainingError(
                    f"{plan.student}: loss is {losses.sums[TOTAL]} at step {steps}; "
                    "lower training.learning_rate"
                )
            has_target = plan.learner.has_target(self._learn.targets[picked])
            sums.add(losses.sums, float(weights.sum()), float(weights[has_target].sum()))
            step = StepDone(steps, len(picked), float(weights.sum()), losses, norm, rate)
            reports.report(step, done)
        self._dominating.end_epoch()
        return self._means(sums), steps

    def _means(self, sums: _Sums) -> EpochLosses:
        learner = self._plan.learner
        means = {name: value / sums.weight for name, value in sums.by_name.items()}
        for name in learner.hard_terms:
            means[name] = (
                means[name] * sums.weight / sums.weight_with_target if sums.weight_with_target else 0.0
            )
        if self._learn.taught is None:
            means = {name: value for name, value in means.items() if name not in learner.soft_terms}
        return EpochLosses(means.pop(TOTAL), means)
