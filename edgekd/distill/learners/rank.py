"""An order of candidates per row: the one output is a candidate's score, targets are grades [row, place].

A grade is 0 or more, NaN where nobody judged the candidate, -1 where there is none; so is a table of scores
NaN there. What a score is in itself means nothing, only how it stands to the others of its list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool

from edgekd.config import Distillation, Emphasis, RankTerms
from edgekd.distill.labels.agreement import ScoreAgreement, compare_scores
from edgekd.distill.learner import Choice, LinearModel, Outputs, RowWords, Targets
from edgekd.distill.learners.rank_figures import kendall_tau, ndcg, reciprocal_rank, top_agreement
from edgekd.distill.logs.event import Event
from edgekd.errors import ConfigError

if TYPE_CHECKING:
    import torch

    from edgekd.distill.learners.rank_objective import RankObjective

_OF_CLASSES = {"alpha_of", "rare_classes", "class_weights", "logits", "ambiguous"}


@dataclass(frozen=True)
class Rank:
    """How a model of scores learns.

    Attributes:
        alpha: Weight of the terms against the teacher.
        softness: Temperature of the divergence over a list.
        listwise: Weight of that divergence among the terms against the teacher.
        margin: Weight of the squared error of margins among them.
        score: Weight of the squared error of scores among them.
        list_size: How many of a row's candidates an epoch shows at most.
    """

    alpha: float = 0.0
    softness: float = 1.0
    listwise: float = 1.0
    margin: float = 0.0
    score: float = 0.0
    list_size: int = RankTerms().candidates

    outputs = ("score",)
    temperature = None
    hard_terms = ("rank_ce",)
    soft_terms = ("kd_listwise", "kd_margin_mse", "kd_score_mse")
    choice = Choice("ndcg_at_10", is_higher_better=True)
    takes_pairs = False
    no_target = float("nan")

    def has_target(self, targets: Targets) -> Bool[np.ndarray, " row"]:
        """Tell which rows have a relevant candidate: no order is better than another without one."""
        return np.asarray((targets > 0).any(axis=1))

    def weigh(self, targets: Targets) -> None:
        """Weigh all rows alike."""

    def match_outputs(self, own: Sequence[str], location: str) -> None:
        """Take a trained model's one output, whatever its name."""
        if len(own) != 1:
            raise ConfigError(
                f"{location}: has {len(own)} outputs where a ranking has one, the score of a pair; fine-tune "
                "it (teacher.fine_tune: true)"
            )

    def objective(self, device: torch.device) -> RankObjective:
        """Make the loss of one training."""
        from edgekd.distill.learners.rank_objective import RankObjective

        return RankObjective(self)

    def judge(self, outputs: Outputs, targets: Targets, taught: Outputs | None) -> dict[str, float]:
        """Return cross-entropy, NDCG@10 and MRR@10 over rows with a relevant candidate.

        With a teacher also how its order is kept: the share of rows with the same first candidate, and
        Kendall's tau.
        """
        import torch

        from edgekd.distill.losses import list_cross_entropy

        known = self.has_target(targets)
        losses = list_cross_entropy(torch.from_numpy(outputs[known]), torch.from_numpy(targets[known]))
        found = {
            "val_loss": float(losses.mean()),
            self.choice.figure: float(ndcg(outputs, targets)[known].mean()),
            "mrr_at_10": float(reciprocal_rank(outputs, targets)[known].mean()),
        }
        if taught is not None:
            real = targets != -1
            found["top1_agreement"] = top_agreement(outputs, taught, real)
            found["kendall_tau"] = kendall_tau(outputs, taught, real)
        return found

    def tell_slices(self, epoch: int, outputs: Outputs, targets: Targets, taught: Outputs) -> Sequence[Event]:
        """Tell nothing: an order has no classes."""
        return ()

    def describe(self, targets: Targets, taught: Outputs | None) -> list[RowWords]:
        """Say how many of a row's candidates are relevant, and at which place the teacher's first came in."""
        words = [f"{(row > 0).sum()} of {(row != -1).sum()} relevant" for row in targets]
        answers: list[str | None] = [None] * len(words)
        if taught is not None:
            first = np.where(targets != -1, taught, -np.inf).argmax(axis=1)
            answers = [f"number {place + 1} first" for place in first.tolist()]
        return [
            RowWords(target=one, teacher_answer=answer) for one, answer in zip(words, answers, strict=True)
        ]

    def compare(self, reference: Outputs, candidate: Outputs) -> ScoreAgreement:
        """Compare two labellers by how far their scores of the same pairs, [pair, 1], lie apart."""
        return compare_scores(reference[:, 0], candidate[:, 0])

    def linear_model(self, strength: float) -> LinearModel:
        """Refuse: what words a request holds says nothing of the order of its candidates."""
        raise ConfigError("baseline: there is no linear model of words that ranks; leave it out")

    def closeness(self, answers: npt.NDArray[np.float64], targets: Targets) -> float:
        """Return NDCG@10 of scores [row, place]."""
        return float(np.nanmean(ndcg(answers, targets)))


def rank_rows(emphasis: Emphasis, key: str) -> Rank:
    """Learn from grades alone, as a teacher does; `key` is the settings' place in the project.

    Raises:
        ConfigError: if a setting is there that only classes have.
    """
    for name in emphasis.model_dump(include=_OF_CLASSES, exclude_defaults=True):
        raise ConfigError(f"{key}.{name}: is of classes, and a ranking has none; remove it")
    return Rank()


def rank_as_taught(distillation: Distillation) -> Rank:
    """Learn from grades and a teacher's scores, as a student does.

    Raises:
        ConfigError: if a setting is there that only classes have.
    """
    rank_rows(distillation, "distillation")
    terms = distillation.rank or RankTerms()
    return Rank(
        distillation.alpha,
        distillation.temperature,
        terms.listwise,
        terms.margin_mse,
        terms.score_mse,
        terms.candidates,
    )
