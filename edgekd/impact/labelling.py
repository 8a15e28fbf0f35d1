"""What it saves to label once, apart from training."""

from __future__ import annotations


def teacher_hours(examples: int, ms_per_example: float, *, reused_share: float = 0.0) -> float:
    """Hours a teacher computes for so many examples, less the share whose labels are there already.

    >>> round(teacher_hours(100_000_000, 3), 1)
    83.3
    >>> round(teacher_hours(100_000_000, 3, reused_share=0.85), 1)
    12.5
    """
    return examples * ms_per_example * (1 - reused_share) / 3_600_000
