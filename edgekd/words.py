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


def name_figure(name: str) -> str:
    """Write the name of a figure for people; one that is read down to some place has it after an @.

    >>> name_figure("false_alarm"), name_figure("ndcg_at_10")
    ('false alarm', 'NDCG@10')
    """
    figure, _, place = name.rpartition("_at_")
    return f"{figure.upper()}@{place}" if figure and place.isdigit() else name.replace("_", " ")


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
TAGS = Words(
    hub_task="text-classification",
    answer="labels",
    does="marks a text with those of {labels} labels that apply",
    output="the labels whose probability is a half or more, none or several, and the probability of each.",
    purpose="marking texts like those that it was measured on.",
    danger="decisions that a wrong label makes dangerous without a person or a second check behind it.",
    listed="Labels",
    probability=("a calibrated probability", "a probability for each that nobody calibrated"),
    quality="value",
    hits="value",
    unknown="new subjects, wordings or labels need new rows and another run.",
)
RANK = Words(
    hub_task="text-ranking",
    answer="order",
    does="puts the candidates of a query in order",
    output="a score for each candidate, and their order by it, the best first; scores of two queries do not "
    "compare.",
    purpose="ordering candidates like those that it was measured on.",
    danger="decisions that a wrong order makes dangerous without a person or a second check behind it.",
    listed="",
    probability=("", ""),
    quality="NDCG@10",
    hits="value",
    unknown="new subjects, wordings or kinds of candidates need new rows and another run.",
)
OF_HEAD: Mapping[str, Words] = {"classify": CLASSIFY, "score": SCORE, "tags": TAGS, "rank": RANK}
"""The words of each head, where a task has none of its own."""
