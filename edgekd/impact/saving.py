"""What a student saves against its teacher."""

from __future__ import annotations

from dataclasses import dataclass

from edgekd.errors import BadInputError

DAYS = 30
"""Of a month."""


@dataclass(frozen=True)
class Saving:
    """Cost a day of teacher and student at the same traffic, in USD."""

    teacher_daily: float
    student_daily: float

    @property
    def daily(self) -> float:
        """Saved a day; negative where the student costs more."""
        return self.teacher_daily - self.student_daily

    @property
    def monthly(self) -> float:
        """Saved in 30 days."""
        return DAYS * self.daily

    @property
    def reduction(self) -> float:
        """Saved share of the teacher's cost."""
        return cost_reduction(self.teacher_daily, self.student_daily)


def save(requests_per_day: float, teacher_per_1k: float, student_per_1k: float) -> Saving:
    """Compare the cost of a day's requests, each answered by the teacher or each by the student.

    >>> saving = save(500_000, teacher_per_1k=3.0, student_per_1k=0.1)
    >>> round(saving.daily), round(saving.monthly)
    (1450, 43500)
    """
    if not requests_per_day > 0 or min(teacher_per_1k, student_per_1k) < 0:
        raise BadInputError(
            "expected more than 0 requests a day and costs of at least 0, "
            f"got {requests_per_day:g}, {teacher_per_1k:g} and {student_per_1k:g}"
        )
    thousands = requests_per_day / 1000
    return Saving(thousands * teacher_per_1k, thousands * student_per_1k)


def cost_reduction(baseline: float, candidate: float) -> float:
    """Return the share of the baseline's cost that is saved.

    >>> round(cost_reduction(0.95, 0.42), 3)
    0.558
    """
    if not baseline > 0:
        raise BadInputError(f"the baseline's cost must be > 0, got {baseline:g}")
    return 1 - candidate / baseline
