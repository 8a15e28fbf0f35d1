"""False targets and the errors that they teach, as counts."""

from __future__ import annotations

from dataclasses import dataclass

from edgekd.errors import BadInputError
from edgekd.impact.traffic import extra_per_day


@dataclass(frozen=True)
class Stage:
    """What a filter leaves: the share of false targets, and the error rate of a student of these."""

    name: str
    contamination: float
    student_error: float


@dataclass(frozen=True)
class StageCount:
    """A stage in counts: false targets, and how many fewer wrong answers a day there are than at first."""

    name: str
    wrong_targets: float
    fewer_per_day: float


def count_wrong_targets(rate: float, examples: float) -> float:
    """Return how many of so many targets are false.

    >>> count_wrong_targets(0.002, 25_000_000)
    50000.0
    """
    if not 0 <= rate <= 1:
        raise BadInputError(f"the rate of false targets must be a share from 0 to 1, got {rate:g}")
    if not 0 <= examples < float("inf"):
        raise BadInputError(f"examples: expected 0 or more, got {examples:g}")
    return rate * examples


def count_stages(
    stages: tuple[Stage, ...], examples: float, requests_per_day: float
) -> tuple[StageCount, ...]:
    """Return each stage in counts; the first one is what there was before any filter."""
    if not stages:
        raise BadInputError("expected at least one stage: what there was before any filter")
    return tuple(
        StageCount(
            stage.name,
            count_wrong_targets(stage.contamination, examples),
            -extra_per_day(stages[0].student_error, stage.student_error, requests_per_day),
        )
        for stage in stages
    )
