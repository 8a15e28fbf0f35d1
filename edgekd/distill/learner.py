"""What differs by kind of answer where models learn: the seam between one training loop and many tasks.

A learner is a frozen value that the caller gives. Teachers, labels, students, the loop and its log ask it
for everything that depends on what an answer is: a class, a number, the order of a query's candidates.
`learners/` has one file per kind. It is made without torch; only its objective needs that.

A row is one request. A model gives outputs [row, output] for the rows of a batch, and targets have one entry
per row. Where a row has several examples (a query's candidates) a model gives one output for each, and they
are laid out as [row, place], NaN where a row has no further example; targets are a table of that shape, too.
Losses, weights and figures are per row either way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float, Float32

if TYPE_CHECKING:  # two seconds, which finished stages are spared
    import torch
    from torch import Tensor

    from edgekd.distill.logs.event import Event

Outputs = Float[np.ndarray, "row output"]
"""What a model gives, or its teacher, before any softmax or sigmoid; [row, place] where rows are lists."""
Targets = npt.NDArray[Any]
"""What a row should get, shape [row]; each learner says in which form.

Of lists [row, place]: NaN where nobody has judged, -1 where there is no example, at the end of a row.
"""


@dataclass(frozen=True)
class Choice:
    """Which figure of the validation rows decides whose epoch's weights are kept."""

    figure: str
    is_higher_better: bool


class RowWords(NamedTuple):
    """What the log says of a row beside its text: its class or other target, and what the teacher says."""

    class_name: str | None = None
    target: str | None = None
    teacher_answer: str | None = None


@dataclass(frozen=True)
class Batch:
    """What a step compares: outputs [row, output], the teacher's where it has spoken, targets [row].

    `soft_at_most` bounds the weight of the terms against the teacher, row by row; None where nothing does.
    """

    outputs: Tensor
    taught: Tensor | None
    targets: Tensor
    soft_at_most: Tensor | None = None

    def bound_soft(self, alpha: float | Tensor) -> float | Tensor:
        """Return the weight of those terms, for all rows or [row], within the bound."""
        bound = self.soft_at_most
        if bound is None:
            return alpha
        return bound.clamp(max=alpha) if isinstance(alpha, float) else bound.minimum(alpha)


@dataclass(frozen=True)
class Terms:
    """The loss of a batch, and what it is made of.

    Attributes:
        total: Loss of each row, shape [row]: the learner's blend of its terms.
        named: Each term by the name that the log gives it, shape [row].
        penalty: This batch's part of a penalty on the whole step, a scalar; None where there is none.
    """

    total: Tensor
    named: Mapping[str, Tensor] = field(default_factory=dict)
    penalty: Tensor | None = None


class Objective(Protocol):
    """The loss of one training; it may hold tensors on the training's device."""

    def survey(self, targets: Tensor) -> Tensor:
        """Return what `terms` must know of a whole step, whose batches are parts, from its targets [row]."""

    def terms(self, batch: Batch, survey: Tensor) -> Terms:
        """Compare one batch of a step."""


class Agreement(Protocol):
    """How a candidate's outputs differ from a reference's on the same texts; a frozen dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def is_equal(self) -> bool:
        """Tell whether the candidate may label in the reference's place."""


class LinearModel(Protocol):
    """A linear model as scikit-learn has it."""

    def fit(self, features: Any, targets: Targets) -> LinearModel:
        """Learn from rows [row, feature]."""

    def predict(self, features: Any) -> npt.NDArray[Any]:
        """Answer rows in the form of targets."""


class Learner(Protocol):
    """What an answer is, for everything that learns."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of what a model gives for a row, in order."""

    @property
    def temperature(self) -> float | None:
        """Of the softmax through which a teacher's outputs are read; None where no softmax reads them."""

    @property
    def hard_terms(self) -> tuple[str, ...]:
        """Names of the terms against targets; the log shows their mean over rows that have a target."""

    @property
    def soft_terms(self) -> tuple[str, ...]:
        """Names of the terms against the teacher; without a teacher the summary of an epoch lacks them.

        They begin with `kd_`: so the log's reader knows them.
        """

    @property
    def choice(self) -> Choice:
        """What the best epoch is chosen by."""

    @property
    def takes_pairs(self) -> bool:
        """Whether a linear model of tokens and pairs can stand beside a network: see `wide`."""

    @property
    def list_size(self) -> int | None:
        """How many examples of a row an epoch shows at most; None where each row is one example."""

    @property
    def no_target(self) -> int | float:
        """What stands in the targets of a row that has none."""

    def has_target(self, targets: Targets) -> Bool[np.ndarray, " row"]:
        """Tell which rows have a target."""

    def weigh(self, targets: Targets) -> Float32[np.ndarray, " row"] | None:
        """Return the weight of each row by its target; None where all are alike."""

    def match_outputs(self, own: Sequence[str], location: str) -> list[int] | None:
        """Say which of a trained model's own outputs are this learner's, in order; None for all as they are.

        Raises:
            ConfigError: naming the location, if one is missing.
        """

    def objective(self, device: torch.device) -> Objective:
        """Make the loss of one training."""

    def judge(self, outputs: Outputs, targets: Targets, taught: Outputs | None) -> dict[str, float]:
        """Judge an epoch on validation rows: figures by name, `val_loss` and that of the choice among them.

        A promotion score need not be among them: the log's reader adds it up.
        """

    def tell_slices(self, epoch: int, outputs: Outputs, targets: Targets, taught: Outputs) -> Sequence[Event]:
        """Say for the log how student and teacher do on parts of the validation rows."""

    def describe(self, targets: Targets, taught: Outputs | None) -> list[RowWords]:
        """Say for the log what rows should get, and what the teacher says."""

    def compare(self, reference: Outputs, candidate: Outputs) -> Agreement:
        """Compare what two labellers say of the same texts."""

    def linear_model(self, strength: float) -> LinearModel:
        """Make a linear model to be fitted; `strength` is the inverse of its regularization.

        Raises:
            MissingExtraError: without scikit-learn.
        """

    def closeness(self, answers: npt.NDArray[Any], targets: Targets) -> float:
        """Say how good a linear model's answers are; higher is better."""
