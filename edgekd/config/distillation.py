"""How students learn from the teacher."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from edgekd.config.base import MOST_ROWS, Frozen
from edgekd.config.emphasis import Emphasis


class Origin(Frozen):
    """Rows that count more or less by where their label comes from."""

    column: str = "origin"
    """Column of the training rows; a row without a value counts as `teacher`, as noisy copies do."""
    weights: dict[str, Annotated[float, Field(gt=0, le=1e6)]] = Field(
        default_factory=lambda: {"teacher": 1.0, "human_corrected": 3.0, "refusal_or_escalation": 2.0}
    )
    """Weight of a row a value."""


_Layer = Annotated[int, Field(ge=0, le=512)]


class FeatureStage(Frozen):
    """Epochs in which a transformer learns from its teacher's inside, before it learns from answers."""

    epochs: int = Field(1, ge=1, le=10_000)
    """How many of the student's epochs."""
    hidden: float = Field(1.0, ge=0, le=1e6)
    """Weight of hidden states, through a projection where widths differ."""
    attention: float = Field(1.0, ge=0, le=1e6)
    """Weight of attention maps; where heads differ, of relations between tokens."""
    output: float = Field(0.0, ge=0, le=1e6)
    """Weight of labels and soft labels in these epochs."""
    layers: dict[_Layer, _Layer] | None = None
    """Student's layer to teacher's, from 1, 0 for the embeddings; evenly spread where absent."""

    @model_validator(mode="after")
    def _something_is_matched(self) -> FeatureStage:
        if not self.hidden and not self.attention:
            raise ValueError("hidden and attention are both 0: nothing is matched; leave features out")
        return self


class RankTerms(Frozen):
    """What the soft loss is made of where answers are orders of candidates."""

    listwise: float = Field(1.0, ge=0, le=1e6)
    """Weight of T^2 * KL between the softmax of the teacher's and of the student's scores over a list."""
    margin_mse: float = Field(0.0, ge=0, le=1e6)
    """Weight of the squared error of score differences, over all pairs of a list."""
    score_mse: float = Field(0.0, ge=0, le=1e6)
    """Weight of the squared error of the scores themselves."""
    candidates: int = Field(8, ge=2, le=MOST_ROWS)
    """How many candidates of a row an epoch shows at most; each epoch draws others."""

    @model_validator(mode="after")
    def _something_is_compared(self) -> RankTerms:
        if not self.listwise and not self.margin_mse and not self.score_mse:
            raise ValueError(
                "listwise, margin_mse and score_mse are all 0: nothing is compared; leave one out"
            )
        return self


class Ambiguous(Frozen):
    """Rows that count more because a teacher hesitates, or because they ask for several things."""

    margin: float = Field(0.2, ge=0, le=1)
    """A row is one where the teacher's two likeliest classes lie within this much probability."""
    where: str | None = None
    """SQL predicate over the training rows' columns whose rows are ones, too, as `multi_intent`."""
    weight: float = Field(2.0, gt=0)
    """How many times such a row counts."""


class Checkpoint(Frozen):
    """The business rule: limits on figures of the validation rows, as their epoch's summary names them."""

    at_least: dict[str, float] = Field(default_factory=dict)
    """Least value by figure, as `safety_recall: 0.95`."""
    at_most: dict[str, float] = Field(default_factory=dict)
    """Largest value by figure, as `calibration_ece: 0.05`."""


class Distillation(Emphasis):
    """How students learn from the teacher."""

    temperature: float = Field(2.0, gt=0, le=1000)
    """Softens both distributions."""
    alpha: float = Field(0.9, ge=0, le=1)
    """Weight of the soft loss: (1 - alpha) * CE + alpha * T^2 * KL."""
    logits: float = Field(0.0, ge=0, le=1)
    """Share of the loss that is the squared error of logits; the blend above has the rest."""
    alpha_of: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)
    """Another alpha for rows of some classes: lower where the teacher is weak."""
    alpha_of_slice: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)
    """Largest alpha for rows of some slices, by name: lower where a wrong answer costs much."""
    ambiguous: Ambiguous | None = None
    """Rows on which the teacher hesitates, and how much more they count; of classes alone."""
    checkpoint: Checkpoint | None = None
    """What an epoch must reach on validation rows: one that does not is never kept, however low its loss."""
    origin: Origin | None = None
    """Weight of a row by its origin."""
    features: FeatureStage | None = None
    """Learn from the teacher's hidden states and attention first."""
    rank: RankTerms | None = None
    """Terms of the soft loss of a ranking, for tasks that rank alone; `listwise` where absent."""
    augmentations: int = Field(4, ge=0, le=1000)
    """Teacher-labelled copies a training row: dropped words, swaps, typos, crossings, recombinations.
    Rows of several candidates have no copies."""
