"""What a teacher reaches on validation rows where a slice has a floor, and what would help it there.

A student learns from its teacher's answers, so a class that the teacher misses is missed by every student.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgekd.config import Teacher
from edgekd.evaluate.arrays import Labels, Served
from edgekd.evaluate.classify.slices import ClassRows
from edgekd.evaluate.judge import judge_slices
from edgekd.evaluate.record import Record
from edgekd.evaluate.scorer import JudgedRows, Scorer
from edgekd.evaluate.slice_rows import SliceRows

_MOST = 0.9  # from which share of the classes that have so many rows on, so many are said to be enough
_LEAST_CLASSES = 2  # of which that is said


@dataclass(frozen=True)
class TeacherFloor(Record):
    """The teacher's value on one slice with a floor; `value` and `limit` are shares.

    Attributes:
        slice: with ":" and the class where the slice has several.
        value: None without a validation row to judge.
        limit: the floor; for false alarms the largest share.
        n: validation rows that are judged.
        training_rows: rows of the slice's classes in the train split; without classes, of the slice.
        advice: what would help; empty where the limit is kept.
    """

    slice: str
    metric: str
    value: float | None
    limit: float
    n: int
    training_rows: int
    advice: str

    @property
    def is_under(self) -> bool:
        """Whether the teacher's value misses the limit."""
        if self.value is None:
            return False
        return self.value > self.limit if self.metric == "false_alarm" else self.value < self.limit

    @property
    def words(self) -> str:
        """One line for people: what the teacher reaches, what the limit is, and what would help."""
        if self.value is None:
            return f"teacher: slice '{self.slice}' has a floor and no validation row to judge the teacher on"
        is_share = self.metric == "false_alarm"
        name, kind = ("the share of false alarms", "limit") if is_share else (self.metric, "floor")
        value, limit = f"{100 * self.value:.1f} %", f"the {kind} is {100 * self.limit:.4g} %"
        reached = f"{name} is {value} on {self.n:,} validation rows, {limit}"
        return f"teacher: slice '{self.slice}': {reached}" + (f"; {self.advice}" if self.advice else "")


def judge_teacher(
    served: Served, validation: JudgedRows, train: JudgedRows, scorer: Scorer, settings: Teacher
) -> tuple[TeacherFloor, ...]:
    """Judge the teacher's answers to the validation rows on every slice with a floor.

    Its value itself is compared, not a bound of it: this is a warning in time, and no gate.

    Raises:
        SliceError: if a slice has no mask or names an unknown class.
    """
    chosen = scorer.select(validation)
    results = judge_slices(chosen, served, {}, validation, scorer.weigh(validation))
    floors = []
    for rows, result in zip(chosen, results, strict=True):
        limit = result.at_least if result.at_most is None else result.at_most
        if limit is None:
            continue
        classes = rows.classes if isinstance(rows, ClassRows) else None
        own = train.masks[rows.slice.name] if classes is None else np.isin(train.truth, classes)
        floor = TeacherFloor(
            slice=rows.name,
            metric=rows.metric,
            value=None if result.value is None else result.value.estimate,
            limit=limit,
            n=result.n,
            training_rows=int(own.sum()),
            advice="",
        )
        if floor.is_under:
            advice = _advise(floor, rows, served, validation, train, settings)
            floor = TeacherFloor(**{**floor.to_json(), "advice": advice})
        floors.append(floor)
    return tuple(floors)


def _advise(
    floor: TeacherFloor,
    rows: SliceRows,
    served: Served,
    validation: JudgedRows,
    train: JudgedRows,
    settings: Teacher,
) -> str:
    if not settings.fine_tune:
        return "it is used as it is: fine-tune it (teacher.fine_tune: true) or take another"
    classes = rows.classes if isinstance(rows, ClassRows) else None
    truth, labels = validation.truth, validation.outputs
    if classes is None:
        has = f"{_count(floor.training_rows)} in the slice"
        more = f' or repeat them (teacher.reviewed: {{where: "{rows.slice.where}"}})'
        return f"{has}: add rows{more if floor.training_rows and settings.reviewed is None else ''}"
    if floor.metric != "recall":
        wrong = rows.rows & np.isin(served, classes) & ~np.isin(truth, classes)
        worst, n = _most_frequent(truth[wrong], labels)
        raised = int(wrong.sum())
        return f"{n} of the {raised} rows that are wrongly called so are {worst}: add training rows of it"
    names = [labels[place] for place in classes]
    subject = f"{names[0]} has" if len(names) == 1 else "its classes have"
    counts = np.bincount(train.truth, minlength=len(labels))
    enough = _enough_rows(floor, served, truth, counts)
    return f"{subject} {_count(floor.training_rows)}{enough}: {_remedy(names, settings)}"


def _enough_rows(floor: TeacherFloor, predicted: Labels, truth: Labels, counts: npt.NDArray[np.int64]) -> str:
    """Say how many training rows the classes have that reach the floor, where nearly all with so many do."""
    support = np.bincount(truth, minlength=len(counts))
    right = np.bincount(truth[predicted == truth], minlength=len(counts))
    reaches = right >= floor.limit * np.maximum(support, 1)
    for least in sorted({int(count) for count in counts if count > floor.training_rows}):
        among = (counts >= least) & (support > 0)
        if among.sum() >= _LEAST_CLASSES and reaches[among].mean() >= _MOST:
            share = f"{int(reaches[among].sum())} of the {int(among.sum())} classes"
            return f", {share} with at least {least:,} reach {100 * floor.limit:.4g} %"
    return ""


def _remedy(names: Sequence[str], settings: Teacher) -> str:
    if settings.class_weights == "equal":
        return "add rows, or set teacher.class_weights: effective"
    if not set(names) <= set(settings.rare_classes):
        return f"add rows, or set teacher.rare_classes: [{', '.join(names)}]"
    return "add rows"


def _most_frequent(classes: Labels, labels: Sequence[str]) -> tuple[str, int]:
    counts = np.bincount(classes, minlength=len(labels))
    return labels[int(counts.argmax())], int(counts.max())


def _count(rows: int) -> str:
    return f"{rows:,} training row{'' if rows == 1 else 's'}"
