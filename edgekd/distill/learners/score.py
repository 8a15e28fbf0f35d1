"""A number from 0 to 1 per row: the one output is its logit, a target is the number, NaN for none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float

from edgekd.config import Distillation, Emphasis
from edgekd.distill.labels.agreement import NumberAgreement, compare_numbers
from edgekd.distill.learner import Choice, LinearModel, Outputs, RowWords, Targets
from edgekd.distill.logs.event import Event
from edgekd.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    import torch

    from edgekd.distill.learners.score_objective import ScoreObjective

_FARTHEST = 40.0  # the sigmoid of this is 1 in double precision, and its exponential no infinity
_OF_CLASSES = {"alpha_of", "rare_classes", "class_weights", "logits", "ambiguous"}


@dataclass(frozen=True)
class Score:
    """How a model of a number learns; `alpha` is the weight of the soft loss."""

    alpha: float = 0.0

    outputs = ("score",)
    temperature = None
    hard_terms = ("hard_bce",)
    soft_terms = ("kd_kl",)
    choice = Choice("mean_absolute_error", is_higher_better=False)
    takes_pairs = False
    list_size = None
    no_target = float("nan")

    def has_target(self, targets: Targets) -> Bool[np.ndarray, " row"]:
        """Tell which rows have a number."""
        return np.asarray(~np.isnan(targets))

    def weigh(self, targets: Targets) -> None:
        """Weigh all rows alike."""

    def match_outputs(self, own: Sequence[str], location: str) -> None:
        """Take a trained model's one output, whatever its name."""
        if len(own) != 1:
            raise ConfigError(
                f"{location}: has {len(own)} outputs where a score has one; fine-tune it "
                "(teacher.fine_tune: true)"
            )

    def objective(self, device: torch.device) -> ScoreObjective:
        """Make the loss of one training."""
        from edgekd.distill.learners.score_objective import ScoreObjective

        return ScoreObjective(self.alpha)

    def judge(self, outputs: Outputs, targets: Targets, taught: Outputs | None) -> dict[str, float]:
        """Return cross-entropy and absolute error over rows with a number, and the gap to the teacher's."""
        import torch

        from edgekd.distill.losses import number_cross_entropy, weighted_mean

        known = self.has_target(targets)
        losses = number_cross_entropy(torch.from_numpy(outputs[:, 0]), torch.from_numpy(targets))
        found = {
            "val_loss": float(weighted_mean(losses, torch.from_numpy(known).to(losses.dtype))),
            self.choice.figure: float(np.abs(to_numbers(outputs) - targets)[known].mean()),
        }
        if taught is not None:
            found["mean_gap_to_teacher"] = float(np.abs(to_numbers(outputs) - to_numbers(taught)).mean())
        return found

    def tell_slices(self, epoch: int, outputs: Outputs, targets: Targets, taught: Outputs) -> Sequence[Event]:
        """Tell nothing: a number has no classes."""
        return ()

    def describe(self, targets: Targets, taught: Outputs | None) -> list[RowWords]:
        """Write the number of each row that has one, and the teacher's."""
        numbers = [None if np.isnan(one) else f"{one:.3f}" for one in targets.tolist()]
        answers: list[str | None] = [None] * len(numbers)
        if taught is not None:
            answers = [f"{one:.3f}" for one in to_numbers(taught).tolist()]
        return [
            RowWords(target=one, teacher_answer=answer) for one, answer in zip(numbers, answers, strict=True)
        ]

    def compare(self, reference: Outputs, candidate: Outputs) -> NumberAgreement:
        """Compare two labellers by how far their numbers lie apart."""
        return compare_numbers(to_numbers(reference), to_numbers(candidate))

    def linear_model(self, strength: float) -> LinearModel:
        """Make a linear regression with squared weights held small."""
        try:
            from sklearn.linear_model import Ridge
        except ImportError:
            raise MissingExtraError("scikit-learn", "train") from None
        model: LinearModel = Ridge(alpha=1 / strength)
        return model

    def closeness(self, answers: npt.NDArray[np.float64], targets: Targets) -> float:
        """Return the mean absolute error, negative: higher is better."""
        return -float(np.abs(answers - targets).mean())


def score_rows(emphasis: Emphasis, key: str) -> Score:
    """Learn numbers from targets alone, as a teacher does; `key` is the settings' place in the project.

    Raises:
        ConfigError: if a setting is there that only classes have.
    """
    for name in emphasis.model_dump(include=_OF_CLASSES, exclude_defaults=True):
        raise ConfigError(f"{key}.{name}: is of classes, and a score has none; remove it")
    return Score()


def score_as_taught(distillation: Distillation) -> Score:
    """Learn numbers from targets and a teacher's outputs, as a student does.

    Raises:
        ConfigError: if a setting is there that only classes or rankings have.
    """
    score_rows(distillation, "distillation")
    if distillation.rank is not None:
        raise ConfigError("distillation.rank: is of orders of candidates, and a score has none; remove it")
    return Score(distillation.alpha)


def to_numbers(outputs: Outputs) -> Float[np.ndarray, " row"]:
    """Turn outputs [row, 1] into numbers [row], by the sigmoid."""
    logits = np.clip(outputs[:, 0].astype(np.float64), -_FARTHEST, _FARTHEST)
    numbers: Float[np.ndarray, " row"] = 1 / (1 + np.exp(-logits))
    return numbers
