"""One class per row, of several: outputs are logits, a target is a class's index, -1 for none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float32

from edgekd.config import Distillation, Emphasis
from edgekd.distill.diagnosis.score import PROMOTION_SCORE
from edgekd.distill.labels.agreement import SoftmaxAgreement, compare_softmax
from edgekd.distill.learner import Choice, LinearModel, Outputs, RowWords, Targets
from edgekd.distill.logs.class_slices import class_slices
from edgekd.distill.logs.event import Event
from edgekd.errors import ConfigError, MissingExtraError, unknown_name
from edgekd.evaluate.classify.calibration import expected_calibration_error

if TYPE_CHECKING:
    import torch

    from edgekd.distill.learners.classify_objective import ClassifyObjective

_BETA = 0.999  # of the effective number; Cui et al. try 0.9 to 0.9999


@dataclass(frozen=True)
class Classify:
    """How a classifier learns; its outputs are named after the classes.

    Attributes:
        critical: Classes whose recall, taken together, is the safety recall.
        alpha: Weight of the soft loss.
        alphas: Weight of it per class, in the place of `alpha`; empty where all are alike.
        temperature: Of the soft loss.
        logits: Share of the squared error of logits in the loss.
        rare: Classes whose recall a penalty raises.
        penalty: Weight of that penalty.
        class_weights: Weight of a row by its class's rows.
    """

    outputs: tuple[str, ...]
    critical: tuple[int, ...] = ()
    alpha: float = 0.0
    alphas: tuple[float, ...] = ()
    temperature: float = 1.0
    logits: float = 0.0
    rare: tuple[int, ...] = ()
    penalty: float = 0.0
    class_weights: Literal["equal", "inverse", "effective"] = "equal"

    hard_terms = ("hard_ce",)
    soft_terms = ("kd_kl_t2",)
    choice = Choice(PROMOTION_SCORE, is_higher_better=True)
    takes_pairs = True
    list_size = None
    no_target = -1

    def has_target(self, targets: Targets) -> Bool[np.ndarray, " row"]:
        """Tell which rows have a class."""
        return np.asarray(targets >= 0)

    def weigh(self, targets: Targets) -> Float32[np.ndarray, " row"] | None:
        """Return the weight of each row by how many rows its class has."""
        if self.class_weights == "equal":
            return None
        from edgekd.distill.losses import effective_number, inverse_frequency, weigh_by_class

        counts = np.bincount(targets, minlength=len(self.outputs))
        if self.class_weights == "effective":
            return weigh_by_class(effective_number(counts, _BETA), targets)
        return weigh_by_class(inverse_frequency(counts), targets)

    def match_outputs(self, own: Sequence[str], location: str) -> list[int]:
        """Say where each class stands in a trained classifier, which may know more of them."""
        missing = sorted(set(self.outputs) - set(own))
        if missing:
            raise ConfigError(
                f"{location}: does not know the label '{missing[0]}'; fine-tune it (teacher.fine_tune: true)"
            )
        return [own.index(name) for name in self.outputs]

    def objective(self, device: torch.device) -> ClassifyObjective:
        """Make the loss of one training."""
        from edgekd.distill.learners.classify_objective import ClassifyObjective

        return ClassifyObjective(self, device)

    def judge(self, outputs: Outputs, targets: Targets, taught: Outputs | None) -> dict[str, float]:
        """Return cross-entropy, accuracy, agreement with the teacher, calibration error and safety recall.

        Without a teacher the targets stand for its answers. There is no safety recall without a row of a
        critical class. Calibration is of the bare softmax, before any temperature is fitted.
        """
        import torch

        from edgekd.distill.losses import hard_cross_entropy

        answers = outputs.argmax(axis=1)
        wanted = targets if taught is None else taught.argmax(axis=1)
        powers = np.exp(outputs.astype(np.float64) - outputs.max(axis=1, keepdims=True))
        found = {
            "val_loss": float(
                hard_cross_entropy(torch.from_numpy(outputs), torch.from_numpy(targets)).mean()
            ),
            "val_accuracy": float((answers == targets).mean()),
            "teacher_preference_match": float((answers == wanted).mean()),
            "calibration_ece": expected_calibration_error(
                powers / powers.sum(axis=1, keepdims=True), targets
            ),
        }
        grave = np.isin(targets, list(self.critical))
        if grave.any():
            found["safety_recall"] = float((answers == targets)[grave].mean())
        return found

    def tell_slices(self, epoch: int, outputs: Outputs, targets: Targets, taught: Outputs) -> Sequence[Event]:
        """Tell recall and precision of each class."""
        alpha = np.array(self.alphas or self.alpha)
        return class_slices(
            epoch, outputs.argmax(axis=1), taught.argmax(axis=1), targets, self.outputs, alpha
        )

    def describe(self, targets: Targets, taught: Outputs | None) -> list[RowWords]:
        """Name the class of each row that has one, and the teacher's."""
        names = [self.outputs[one] if one >= 0 else None for one in targets.tolist()]
        answers: list[str | None] = [None] * len(names)
        if taught is not None:
            answers = [self.outputs[one] for one in taught.argmax(axis=1).tolist()]
        return [
            RowWords(class_name=name, teacher_answer=answer)
            for name, answer in zip(names, answers, strict=True)
        ]

    def compare(self, reference: Outputs, candidate: Outputs) -> SoftmaxAgreement:
        """Compare two labellers by the divergence of their softmax, and by their likeliest classes."""
        return compare_softmax(reference, candidate)

    def linear_model(self, strength: float) -> LinearModel:
        """Make a linear support vector machine."""
        try:
            from sklearn.svm import LinearSVC
        except ImportError:
            raise MissingExtraError("scikit-learn", "train") from None
        model: LinearModel = LinearSVC(C=strength, random_state=0)
        return model

    def closeness(self, answers: npt.NDArray[np.int64], targets: Targets) -> float:
        """Return the share of right answers."""
        return float((answers == targets).mean())


def classify_rows(outputs: tuple[str, ...], emphasis: Emphasis, key: str) -> Classify:
    """Learn classes from targets alone, as a teacher does; `key` is the settings' place in the project.

    Raises:
        ConfigError: if a class is named that is not there.
    """
    _check_classes(emphasis.rare_classes, outputs, f"{key}.rare_classes")
    rare = tuple(outputs.index(name) for name in emphasis.rare_classes)
    weights = emphasis.class_weights
    return Classify(outputs, rare=rare, penalty=emphasis.rare_penalty, class_weights=weights)


def classify_as_taught(
    outputs: tuple[str, ...], distillation: Distillation, critical: tuple[int, ...] = ()
) -> Classify:
    """Learn classes from targets and a teacher's outputs, as a student does.

    Raises:
        ConfigError: if a class is named that is not there, or a setting is there that only rankings have.
    """
    if distillation.rank is not None:
        raise ConfigError("distillation.rank: is of orders of candidates, and a class has none; remove it")
    _check_classes(distillation.alpha_of, outputs, "distillation.alpha_of")
    alphas = [distillation.alpha_of.get(name, distillation.alpha) for name in outputs]
    return replace(
        classify_rows(outputs, distillation, "distillation"),
        critical=critical,
        alpha=distillation.alpha,
        alphas=tuple(alphas) if distillation.alpha_of else (),
        temperature=distillation.temperature,
        logits=distillation.logits,
    )


def _check_classes(names: Iterable[str], known: tuple[str, ...], key: str) -> None:
    for name in names:
        if name not in known:
            raise ConfigError(f"{key}: {unknown_name('class', name, known)}")
