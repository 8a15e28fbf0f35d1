"""How good a student is thought to get, and when it is called too small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgekd.distill.diagnosis.capacity import EASY_EPOCHS, EASY_RECALL, EASY_ROWS, MENDED, WEAK
from edgekd.sizing.budget import Guess
from edgekd.sizing.curve import Rated

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Quality:
    """What a search knows of one student.

    Attributes:
        student: Its name.
        drop: Points that it will lose against the teacher once trained to the end, on validation rows.
        rows_seen: Rows that it was taught, counted as often as they were shown.
        too_small: Why it is called too small; None where it is not.
        curve: What each of its rungs reached.
    """

    student: str
    drop: Guess
    rows_seen: int
    too_small: str | None = None
    curve: tuple[Rated, ...] = ()


@dataclass(frozen=True)
class EasyCheck:
    """How one rung does where its teacher hardly errs; values are means from 0 to 1.

    Attributes:
        rows_seen: Rows that it was taught.
        student, teacher: Mean value on all rows of easy slices.
        slices: How many slices are easy.
        rows: Rows in them.
    """

    rows_seen: int
    student: float
    teacher: float
    slices: int
    rows: int


def check_easy(
    rows_seen: int, student: Values, teacher: Values, groups: Sequence[npt.NDArray[np.bool_]]
) -> EasyCheck | None:
    """Compare both on the slices that are easy for the teacher.

    `student` and `teacher` are values of rows [row]; `groups` mark the rows of each slice, each [row].
    None where too few rows are easy to say anything.
    """
    easy = [group for group in groups if group.any() and teacher[group].mean() >= EASY_RECALL]
    if not easy:
        return None
    rows = np.logical_or.reduce(easy)
    count = int(rows.sum())
    if count < EASY_ROWS:
        return None
    return EasyCheck(rows_seen, float(student[rows].mean()), float(teacher[rows].mean()), len(easy), count)


def find_too_small(checks: Sequence[EasyCheck], rows: int) -> str | None:
    """Say why a student is too small: it stays weak on easy slices after one or two passes over `rows`.

    Weak is one that has not learned by the second pass what its teacher hardly errs in, or that after the
    first pass has hardly caught up by the next rung.
    """
    passed = sorted((c for c in checks if c.rows_seen >= rows), key=lambda check: check.rows_seen)
    weak = [check for check in passed if check.teacher - check.student > WEAK]
    if not weak or weak[-1] is not passed[-1]:
        return None
    last, first = weak[-1], weak[0]
    is_late = last.rows_seen >= EASY_EPOCHS * rows
    stays = len(weak) > 1 and last.student - first.student <= MENDED
    if not is_late and not stays:
        return None
    before = f", {100 * first.student:.1f} % after {first.rows_seen:,}" if first is not last else ""
    return (
        f"reaches {100 * last.student:.1f} % on the {last.slices} easy slices after {last.rows_seen:,} rows "
        f"({last.rows_seen / rows:.1f} passes){before}; its teacher reaches {100 * last.teacher:.1f} % there"
    )
