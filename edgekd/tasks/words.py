"""What reports and cards call a task's quality and answers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """Nouns of one task, for people.

    Attributes:
        quality: the metric of a slice that names none, as in "accuracy, overall".
        answer: what a model gives, as in "text in, label out".
    """

    quality: str
    answer: str
