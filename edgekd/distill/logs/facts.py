"""Figures of errors of fact as events of the log."""

from __future__ import annotations

from edgekd.curate.claims.figures import FactFigures
from edgekd.distill.logs.live_events import FactSlice
from edgekd.stats.interval import Interval

TARGETS = "targets"
"""The slice of events that tell of targets, not of answers."""


def make_fact_event(name: str, figures: FactFigures, student: str | None = None) -> FactSlice:
    """Return figures of one slice as an event."""
    copied = figures.copied
    return FactSlice(
        slice=name,
        student=student,
        teacher_fact_error_rate=figures.teacher.estimate,
        student_fact_error_rate=figures.student.estimate,
        teacher_confident_error_rate=figures.confident.estimate,
        copied_teacher_error_overlap=None if copied is None else copied.estimate,
        teacher_fact_error_interval=_ends(figures.teacher),
        student_fact_error_interval=_ends(figures.student),
        copied_teacher_error_interval=None if copied is None else _ends(copied),
        n=figures.n,
    )


def make_share_event(name: str, contamination: Interval, n: int) -> FactSlice:
    """Return the share of false targets that a filter leaves as an event."""
    return FactSlice(
        slice=TARGETS,
        filter=name,
        contamination=contamination.estimate,
        contamination_interval=_ends(contamination),
        n=n,
    )


def _ends(interval: Interval) -> tuple[float, float]:
    return (interval.low, interval.high)
