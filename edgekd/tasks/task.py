"""A task: its roles as values, which the stages hand to the tiers that need them."""

from __future__ import annotations

from dataclasses import dataclass

from edgekd.data.reader import Reader
from edgekd.evaluate.scorer import Scorer
from edgekd.words import Words


@dataclass(frozen=True)
class Task:
    """What a model is for.

    Attributes:
        name: as a project file and a manifest name it.
        head: kind of answer, a module of `edgekd.serving.heads`.
        reader: what targets are.
        scorer: what answers are worth.
        words: what reports call it all.
    """

    name: str
    head: str
    reader: Reader
    scorer: Scorer
    words: Words
