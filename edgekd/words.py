"""What is said of a kind of answer: pieces of the sentences in which model cards and bundles differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """Pieces of sentences about a model of one kind.

    Attributes:
        hub_task: the task's name on the Hugging Face hub.
        answer: what one answer is called.
        does: what the model does with a text; `{labels}` stands for how many labels it has.
        output: what comes out of it.
        purpose: what it is for.
        danger: what it is not for.
        listed: heads the list of its labels; empty where it has none.
        probability: what a probability of its answers is, where a teacher's project calibrated it, and where
            the model came from elsewhere; empty where it gives none.
        quality: the metric of a slice that names none, as in "accuracy, overall".
        hits: whose difference over the same rows a drop is.
        unknown: what it knows nothing of.
    """

    hub_task: str
    answer: str
    does: str
    output: str
    purpose: str
    danger: str
    listed: str
    probability: tuple[str, str]
    quality: str
    hits: str
    unknown: str


CLASSIFY = Words(
    hub_task="text-classification",
    answer="label",
    does="gives a message one of {labels} labels",
    output='always one of the labels below; it has no answer for "none of these" unless a label says so.',
    purpose="sorting messages like those that it was measured on.",
    danger="decisions that a wrong label makes dangerous without a person or a second check behind it.",
    listed="Labels",
    probability=("a calibrated probability", "a probability that nobody calibrated"),
    quality="accuracy",
    hits="hits",
    unknown="new products, wordings or intents need new rows and another run.",
)
SCORE = Words(
    hub_task="text-classification",
    answer="score",
    does="gives a text a score from 0 to 1",
    output="always a number from 0 to 1, the sigmoid of the model's one output.",
    purpose="scoring texts like those that it was measured on.",
    danger="decisions that a wrong score makes dangerous without a person or a second check behind it.",
    listed="",
    probability=("", ""),
    quality="value",
    hits="value",
    unknown="new subjects or wordings need new rows and another run.",
)
OF_HEAD: Mapping[str, Words] = {"classify": CLASSIFY, "score": SCORE}
"""The words of each head, where a task has none of its own."""
