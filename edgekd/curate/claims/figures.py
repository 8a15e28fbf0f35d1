"""How often teacher and student are wrong in fact, how much of that was copied, and what filters leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekd.errors import BadInputError, DataError
from edgekd.stats.interval import Interval
from edgekd.stats.proportion import wilson_interval

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class FactFigures:
    """Errors of fact of a teacher and its student, all over the same rows.

    Attributes:
        n: how many rows.
        teacher: share on which the teacher is wrong.
        student: share on which the student is.
        confident: share on which the teacher is wrong and sure.
        copied: of the student's errors, the share on which the teacher is wrong, too, with the same answer;
            None where the student makes none.
    """

    n: int
    teacher: Interval
    student: Interval
    confident: Interval
    copied: Interval | None


def measure_facts(
    teacher_wrong: Mask, student_wrong: Mask, same_answer: Mask, confident: Mask, confidence: float = 0.95
) -> FactFigures:
    """Measure errors of fact, with Wilson's intervals; every mask has shape [row], over the same rows.

    Raises:
        BadInputError: there is no row, or the masks differ in length.

    >>> wrong = np.array([True, True, False, False])
    >>> measure_facts(wrong, np.array([True, False, False, True]), wrong, wrong).copied.estimate
    0.5
    """
    n = len(teacher_wrong)
    if {len(mask) for mask in (teacher_wrong, student_wrong, same_answer, confident)} != {n}:
        raise BadInputError("figures of copied errors need teacher and student over the same rows")
    copied = student_wrong & teacher_wrong & same_answer
    errors = int(student_wrong.sum())
    return FactFigures(
        n=n,
        teacher=wilson_interval(int(teacher_wrong.sum()), n, confidence),
        student=wilson_interval(errors, n, confidence),
        confident=wilson_interval(int((teacher_wrong & confident).sum()), n, confidence),
        copied=wilson_interval(int(copied.sum()), errors, confidence) if errors else None,
    )


def most_overlap(teacher_rate: float, student_rate: float) -> float:
    """Return the largest overlap that two error rates over the same rows allow.

    Every copied error is an error of the teacher's: overlap * student rate is at most the teacher's rate.

    >>> round(most_overlap(0.006, 0.011), 3)
    0.545
    """
    for name, rate in (("teacher", teacher_rate), ("student", student_rate)):
        if not 0 <= rate <= 1:
            raise BadInputError(f"the {name}'s error rate must be a share from 0 to 1, got {rate:g}")
    return min(1.0, teacher_rate / student_rate) if student_rate else 1.0


@dataclass(frozen=True)
class Left:
    """What a filter leaves of the targets that students learn from.

    Attributes:
        filter: what it is called; the first one lets everything through.
        n: how many targets it leaves.
        contamination: share of these that are false.
        weighted: the same by how much each counts.
        caught: of all false ones, the share that it takes out or lets count less; None where none is false.
        lost: of all true ones, the share that it takes out; None where none is true.
        lessened: of all true ones, the share that it lets count less.
    """

    filter: str
    n: int
    contamination: Interval
    weighted: float
    caught: Interval | None
    lost: Interval | None
    lessened: Interval | None


def measure_left(is_false: Mask, filters: Mapping[str, npt.NDArray[np.floating[Any]]]) -> tuple[Left, ...]:
    """Measure what filters leave; each is given by how much it lets a target count, from 0 to 1, [target].

    Raises:
        BadInputError: there is no target, or a filter leaves none.
    """
    found = []
    false, true = int(is_false.sum()), int((~is_false).sum())
    for name, trust in filters.items():
        left = trust > 0
        if not left.any():
            raise BadInputError(f"filter '{name}' leaves none of {len(is_false):,} targets; mend its rules")
        caught, lessened = int((is_false & (trust < 1)).sum()), int((~is_false & left & (trust < 1)).sum())
        found.append(
            Left(
                filter=name,
                n=int(left.sum()),
                contamination=wilson_interval(int((is_false & left).sum()), int(left.sum())),
                weighted=float(trust[is_false].sum() / trust.sum()),
                caught=wilson_interval(caught, false) if false else None,
                lost=wilson_interval(int((~is_false & ~left).sum()), true) if true else None,
                lessened=wilson_interval(lessened, true) if true else None,
            )
        )
    return tuple(found)


@dataclass(frozen=True)
class Answers:
    """What was answered to some rows, and what is right; `slices` are the rows of each slice, by name."""

    teacher: Sequence[str]
    student: Sequence[str]
    truth: Sequence[str]
    confidence: npt.NDArray[np.float64]
    slices: Mapping[str, Mask]


def measure_answers(answers: Answers, confident: float) -> dict[str, FactFigures]:
    """Measure errors of fact per slice, `overall` first; an answer is wrong where it is not the right one."""
    teacher, student, truth = (
        np.array(part, object) for part in (answers.teacher, answers.student, answers.truth)
    )
    parts = (teacher != truth, student != truth, teacher == student, answers.confidence >= confident)
    everywhere = np.ones(len(truth), np.bool_)
    return {
        name: measure_facts(*(part[rows] for part in parts))
        for name, rows in {"overall": everywhere, **answers.slices}.items()
        if rows.any()
    }


def read_answers(rows: Sequence[dict[str, Any]], source: str, slice_column: str | None) -> Answers:
    """Read answers from rows with `teacher`, `student` and `truth`, and `confidence`, where there is one.

    Raises:
        DataError: naming the row and what it lacks.
    """
    columns: dict[str, list[str]] = {name: [] for name in ("teacher", "student", "truth")}
    confidence, kinds = [], []
    for number, row in enumerate(rows, start=1):
        for name, values in columns.items():
            if row.get(name) in (None, ""):
                raise DataError(
                    f"{source}: row {number}: '{name}' is empty; each row needs teacher, student and truth: "
                    "all figures are of the same rows"
                )
            values.append(str(row[name]))
        share = row.get("confidence", 1.0)
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            raise DataError(
                f"{source}: row {number}: 'confidence' must be a share from 0 to 1, got {share!r:.40}"
            )
        confidence.append(float(share))
        if slice_column is not None and slice_column not in row:
            raise DataError(
                f"{source}: row {number}: has no column '{slice_column}'; found: {', '.join(row)}"
            )
        kinds.append("" if slice_column is None else str(row[slice_column]))
    names = sorted(set(kinds) - {""})
    slices = {f"{slice_column}={name}": np.array([kind == name for kind in kinds]) for name in names}
    return Answers(
        columns["teacher"], columns["student"], columns["truth"], np.array(confidence, np.float64), slices
    )
