"""A task: its roles as values, which the stages hand to the tiers that need them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgekd.curate.claims.check import Claimed
from edgekd.data.reader import Reader
from edgekd.evaluate.arrays import Scores, Truth
from edgekd.evaluate.scorer import Scorer
from edgekd.serving.heads import Head
from edgekd.tasks.claimed import Spoken
from edgekd.tasks.learning import Learning
from edgekd.words import Words


@dataclass(frozen=True)
class Task:
    """What a model is for.

    Attributes:
        name: as a project file and a manifest name it.
        head: kind of answer, a module of `edgekd.serving.heads`.
        learning: how its models learn.
        reader: what targets are.
        scorer: what answers are worth.
        words: what reports call it all.
        choose_keep: how many of a first model's candidates a second one must read, from what both answer to
            validation rows and what is right; None where answers are not made in turn.
        claim: what outputs claim that records can speak of; None where they claim nothing of the kind.
    """

    name: str
    head: str
    learning: Learning
    reader: Reader
    scorer: Scorer
    words: Words
    choose_keep: Callable[[Scores, Scores, Truth], int | None] | None = None
    claim: Callable[[Spoken], Claimed] | None = None

    def head_of(self, outputs: Sequence[str]) -> Head:
        """Return the head of a model with these outputs; one output alone has no label."""
        return Head(self.head, tuple(outputs) if len(outputs) > 1 else ())

    def takes(self, head: Head, outputs: Sequence[str]) -> bool:
        """Whether a model with this head answers what this task asks, with these outputs."""
        own = self.head_of(outputs)
        return (head.name, head.labels) == (own.name, own.labels)
