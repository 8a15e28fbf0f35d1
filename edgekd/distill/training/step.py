"""The gradient of one step, and the losses it is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edgekd.distill.learner import Batch
from edgekd.distill.lists import NO_EXAMPLE, Places, take_places
from edgekd.distill.logs.profile import StageClock
from edgekd.distill.training.device import autocast, device_of
from edgekd.distill.training.examples import TokenizedExamples
from edgekd.distill.training.features import FeatureTerms
from edgekd.distill.training.plan import TrainingPlan
from edgekd.distill.training.predict import padded_tensors
from edgekd.distill.training.processes import Processes
from edgekd.distill.training.schedule import StageWeights
from edgekd.distill.training.tokens import length_batches

TOTAL = "total"
FEATURE_TERMS = ("feature_mse", "attention_mse")
"""Names of the terms that features are matched by; the second is of relations where heads differ."""
_PIECE_TOKENS = 1024
"""Examples of lists go through the model in pieces of like length, padding included, so that little is it."""


@dataclass(frozen=True)
class StepLosses:
    """What a step's rows lose, over all processes.

    Attributes:
        sums: Sum over rows of weight times loss: the total, then each term by name.
        rows: The learner's loss of each row, shape [row].
    """

    sums: Mapping[str, float]
    rows: npt.NDArray[np.float32]


class StepGradient:
    """Computes gradients of steps, each in pieces and each piece by all processes together."""

    def __init__(
        self,
        model: torch.nn.Module,
        plan: TrainingPlan,
        learn: TokenizedExamples,
        processes: Processes,
        clock: StageClock,
    ) -> None:
        self._model, self._plan, self._learn = model, plan, learn
        self._processes, self._clock = processes, clock
        self._device = device_of(model)
        self._objective = plan.learner.objective(self._device)

    def compute(
        self,
        picked: npt.NDArray[np.int64],
        weights: npt.NDArray[np.float32],
        stage: StageWeights,
        shown: Places | None = None,
    ) -> StepLosses:
        """Add up the gradient of the weighted mean over the picked rows; `weights` has shape [picked].

        `shown` says which examples of each picked row are compared; None where each row is one.
        """
        learner = self._plan.learner
        names = (TOTAL, *learner.hard_terms, *learner.soft_terms)
        names += FEATURE_TERMS if stage.reads_features else ()
        survey = self._objective.survey(self._tensor(self._learn.targets[picked]))
        step_weight = float(weights.sum())
        sums, losses = torch.zeros(len(names)), torch.zeros(len(picked))
        for number, places in enumerate(self._shares(len(picked))):
            is_last = number == self._plan.training.accumulate - 1
            with self._processes.own_gradient(self._model, is_last):
                if shown is None:
                    batch, features = self._answer(picked[places], stage)
                else:
                    batch, features = self._answer_lists(picked[places], shown[places]), None
                terms = self._objective.terms(batch, survey)
                of_rows = self._tensor(weights[places])
                loss = (stage.total(terms.total, features) * of_rows).sum()
                if terms.penalty is not None:
                    # It is of a whole step, and so enters with the step's weight.
                    loss = loss + stage.output * step_weight * terms.penalty
                # The processes' gradients are averaged, so that each gives `count` times its share.
                torch.autograd.backward(loss * (self._processes.count / step_weight))
            named = dict(terms.named)
            if features is not None:
                named |= dict(
                    zip(FEATURE_TERMS, (features.hidden, features.attention + features.relation), strict=True)
                )
            parts = [(named[name].detach() * of_rows).sum() for name in names[1:]]
            sums += torch.stack([loss.detach(), *parts]).cpu()
            losses[places] = terms.total.detach().cpu()
        heard = self._processes.sum(torch.cat([sums, losses])).numpy()
        found = heard[: len(names)].astype(np.float64).tolist()
        return StepLosses(dict(zip(names, found, strict=True)), heard[len(names) :])

    def _shares(self, rows: int) -> Iterator[npt.NDArray[np.int64]]:
        """Split a step's rows: the places of this process's part of each of its accumulated pieces."""
        pieces, count = self._plan.training.accumulate, self._processes.count
        for piece in range(pieces):
            yield np.arange(piece * count + self._processes.number, rows, pieces * count)

    def _answer(self, own: npt.NDArray[np.int64], stage: StageWeights) -> tuple[Batch, FeatureTerms | None]:
        """Run the model on some rows; return its outputs beside targets, and what its features lose."""
        learn = self._learn
        self._clock.switch("input")
        ids, mask = padded_tensors(learn.tokens, own, self._device)
        targets = self._tensor(learn.targets[own])
        taught = None if learn.taught is None else self._tensor(learn.taught[own].astype(np.float32))
        self._clock.switch("student")
        features: FeatureTerms | None = None
        with autocast(self._device):
            if stage.reads_features:
                outputs, features = self._model(ids, mask, matches=True)
            else:
                outputs = self._model(ids, mask)
        return Batch(outputs.float(), taught, targets, self._bound(own)), features

    def _answer_lists(self, own: npt.NDArray[np.int64], shown: Places) -> Batch:
        """Run the model on the shown examples of some rows: [row, slot], NaN in empty slots."""
        learn, lists = self._learn, self._learn.lists
        assert lists is not None, "only lists have several examples to show"
        self._clock.switch("input")
        numbers, is_real = lists.examples(own, shown)
        targets = self._tensor(take_places(learn.targets[own], shown, NO_EXAMPLE))
        taught = None
        if learn.taught is not None:
            taught = self._tensor(take_places(learn.taught[own].astype(np.float32), shown, np.nan))
        pieces = list(length_batches(learn.tokens.lengths[numbers], _PIECE_TOKENS))
        given = [padded_tensors(learn.tokens, numbers[piece], self._device) for piece in pieces]
        self._clock.switch("student")
        with autocast(self._device):
            answers = torch.cat([self._model(ids, mask) for ids, mask in given]).float()
        back = self._tensor(np.argsort(np.concatenate(pieces)))
        outputs = answers.new_full(is_real.shape, torch.nan)
        outputs[self._tensor(is_real)] = answers[back, 0]
        return Batch(outputs, taught, targets, self._bound(own))

    def _bound(self, own: npt.NDArray[np.int64]) -> Tensor | None:
        """Return how much the teacher may weigh in some rows; None where nothing bounds it."""
        bound = self._plan.weighing.soft_at_most
        return None if bound is None else self._tensor(bound[own])

    def _tensor(self, values: npt.NDArray[Any]) -> Tensor:
        return torch.from_numpy(values).to(self._device)
