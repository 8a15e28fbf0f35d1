"""One pass over the training rows, or over a portion of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch

from edgekd.distill.logs.dominating import DominatingRows
from edgekd.distill.logs.profile import StageClock
from edgekd.distill.training.checkpoint import EpochPlace
from edgekd.distill.training.draw import RowDraw
from edgekd.distill.training.examples import TokenizedExamples
from edgekd.distill.training.optimizer import StudentOptimizer
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


@dataclass(frozen=True)
class Going:
    """What an epoch goes on from, and how it is told of.

    Attributes:
        steps: Steps of all epochs that lie behind.
        place: Where the epoch is; None at its start.
        restore: Puts back what changes within an epoch: called where it goes on from a place.
        keep: Called after each step with the steps so far and the place; None where no place is kept.
        tell: Writes the log; None where another process does.
    """

    steps: int
    place: EpochPlace | None
    restore: Callable[[], None]
    keep: Callable[[int, EpochPlace], None] | None
    tell: Tell | None


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

    def run(self, epoch: int, going: Going, on_progress: Progress) -> tuple[EpochLosses, int]:
        """Run one epoch (counted from 0); return its losses, and the steps so far.

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
        steps, place = going.steps, going.place or EpochPlace()
        if going.place is not None:
            going.restore()
        reports = StepReports(plan, epoch, len(drawn), going.tell, on_progress, place.rows)
        self._model.train()
        batches = length_batches(lengths[drawn], budget, rng, self._pieces)
        for batch in islice(batches, place.batches, None):
            picked, done = drawn[batch], place.rows
            weights = self._draw.weigh(picked)
            rate = plan.rates.at(training, epoch + (done + len(picked) / 2) / len(drawn))
            shown = None if places is None else places[picked]
            losses = self._gradient.compute(picked, weights, stage, shown)
            self._dominating.record(picked, losses.rows)
            norm = self._optimizer.step(rate)
            self._clock.switch("input")
            steps += 1
            self._clock.count(len(picked), int(lengths[picked].sum()))
            if not math.isfinite(losses.sums[TOTAL]):
                raise TrainingError(
                    f"{plan.student}: loss is {losses.sums[TOTAL]} at step {steps}; "
                    "lower training.learning_rate"
                )
            has_target = plan.learner.has_target(self._learn.targets[picked])
            weight = float(weights.sum())
            place = EpochPlace(
                place.batches + 1,
                done + len(picked),
                {name: place.sums.get(name, 0.0) + value for name, value in losses.sums.items()},
                place.weight + weight,
                place.weight_with_target + float(weights[has_target].sum()),
            )
            reports.report(StepDone(steps, len(picked), weight, losses, norm, rate), place.rows)
            if going.keep is not None:
                going.keep(steps, place)
        self._dominating.end_epoch()
        return self._means(place), steps

    def _means(self, behind: EpochPlace) -> EpochLosses:
        learner, with_target = self._plan.learner, behind.weight_with_target
        means = {name: value / behind.weight for name, value in behind.sums.items()}
        for name in learner.hard_terms:
            means[name] = means[name] * behind.weight / with_target if with_target else 0.0
        if self._learn.taught is None:
            means = {name: value for name, value in means.items() if name not in learner.soft_terms}
        return EpochLosses(means.pop(TOTAL), means)
