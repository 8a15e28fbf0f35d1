"""Student, incumbent and teacher on rows of real traffic, and whether the test rows said so before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgekd.config import Slice
from edgekd.evaluate.arrays import Flags, Hits, Labels
from edgekd.evaluate.classify.slices import ClassRows, select_rows
from edgekd.evaluate.record import Record
from edgekd.stats.interval import Interval
from edgekd.stats.proportion import wilson_interval
from edgekd.stats.unpaired import rate_difference


@dataclass(frozen=True, eq=False)
class ShadowRows:
    """Answers to logged rows, all in the same order; label indices.

    `truth` is what was right, and -1 where nobody has said so; `wins` is the share of a person's preference
    for the student over the incumbent (1, .5, 0), and not a number where nobody looked.
    """

    student: Labels
    incumbent: Labels
    teacher: Labels
    truth: Labels
    wins: np.ndarray


@dataclass(frozen=True)
class Counts:
    """What the student answers in one slice.

    It is right in `right` of the `judged` rows, those whose truth is known. In `alike` of the `compared` rows
    it answers as the teacher does.
    """

    right: int
    judged: int
    alike: int
    compared: int


@dataclass(frozen=True)
class ShadowSlice(Record):
    """One slice of the traffic; what it has no rows for is absent.

    A slice of classes has, for matches, the rows where the teacher answers one of them, and for recall those
    where one of them is right.

    Attributes:
        n: rows that student and teacher are compared on.
        labelled: rows whose truth is known.
        teacher_preference_match: share of rows that the student answers as the teacher does.
        student_win_rate: of the rows that people compared, a tie counts half.
        policy_escalation_recall: the student's recall of the slice's classes.
        baseline_escalation_recall: the incumbent's.
        mismatch: offline minus shadow share of right answers, where that is no chance at 95 % over all that
            is compared.
        preference_mismatch: the same of the match with the teacher.
    """

    name: str
    n: int
    labelled: int
    teacher_preference_match: Interval | None
    student_win_rate: Interval | None
    policy_escalation_recall: Interval | None
    baseline_escalation_recall: Interval | None
    mismatch: Interval | None
    preference_mismatch: Interval | None


def compare_shadow(
    rows: ShadowRows,
    labels: Sequence[str],
    slices: Sequence[Slice],
    masks: Mapping[str, Flags],
    offline: Mapping[str, Counts],
) -> tuple[ShadowSlice, ...]:
    """Compare slice by slice; `offline` holds the student's counts on the test rows, from `count_slices`.

    Like is compared with like: right answers with right answers, on rows whose truth is known, and answers
    as the teacher's with answers as the teacher's.
    """
    traffic = count_slices(rows.student, rows.teacher, rows.truth, labels, slices, masks)
    pairs = [(traffic[name], offline[name]) for name in traffic.keys() & offline.keys()]
    comparisons = sum(
        bool(one.judged and two.judged) + bool(one.compared and two.compared) for one, two in pairs
    )
    level = 1 - 0.05 / max(1, comparisons)
    return tuple(
        _compare(part, known, rows, traffic[part.name], offline.get(part.name), level)
        for part, known in _select_both(slices, masks, rows.teacher, rows.truth, labels)
    )


def count_slices(
    student: Labels,
    teacher: Labels,
    truth: Labels,
    labels: Sequence[str],
    slices: Sequence[Slice],
    masks: Mapping[str, Flags],
) -> dict[str, Counts]:
    """Count right answers and answers as the teacher's, slice by slice; `truth` is -1 where unknown."""
    counts = {}
    for part, known in _select_both(slices, masks, teacher, truth, labels):
        hits, alike = known.values(student, truth), (student == teacher)[part.rows]
        counts[part.name] = Counts(int(hits.sum()), len(hits), int(alike.sum()), len(alike))
    return counts


def _compare(
    part: ClassRows,
    known: ClassRows,
    rows: ShadowRows,
    here: Counts,
    offline: Counts | None,
    level: float,
) -> ShadowSlice:
    looked = rows.wins[part.rows]
    looked = looked[~np.isnan(looked)]
    escalates = part.metric == "recall"
    mismatch = preference = None
    if offline is not None:
        mismatch = _differs(offline.right, offline.judged, here.right, here.judged, level)
        preference = _differs(offline.alike, offline.compared, here.alike, here.compared, level)
    return ShadowSlice(
        name=part.name,
        n=here.compared,
        labelled=here.judged,
        teacher_preference_match=_rate((rows.student == rows.teacher)[part.rows]),
        student_win_rate=_mean(looked),
        policy_escalation_recall=_rate(known.values(rows.student, rows.truth)) if escalates else None,
        baseline_escalation_recall=_rate(known.values(rows.incumbent, rows.truth)) if escalates else None,
        mismatch=mismatch,
        preference_mismatch=preference,
    )


def _differs(hits: int, n: int, other_hits: int, other_n: int, level: float) -> Interval | None:
    """Return the first rate minus the second, unless it may be chance or one of them has no rows."""
    if not n or not other_n:
        return None
    found = rate_difference(hits, n, other_hits, other_n, level)
    return found if found.low > 0 or found.high < 0 else None


def _select_both(
    slices: Sequence[Slice], masks: Mapping[str, Flags], teacher: Labels, truth: Labels, labels: Sequence[str]
) -> list[tuple[ClassRows, ClassRows]]:
    """Find each slice's rows by what the teacher answers, and of the labelled rows by what is right.

    Precision is left out: its rows are those that a model calls so, and differ from model to model.
    """
    labelled = {name: mask & (truth >= 0) for name, mask in masks.items()}
    by_teacher = select_rows(slices, masks, teacher, labels)
    by_truth = select_rows(slices, labelled, truth, labels)
    return [pair for pair in zip(by_teacher, by_truth, strict=True) if pair[0].is_paired]


def _rate(hits: Hits) -> Interval | None:
    return wilson_interval(int(hits.sum()), len(hits)) if len(hits) else None


def _mean(wins: np.ndarray) -> Interval | None:
    """Mean of wins, ties counting half; Wilson's interval of the nearest counts on either side."""
    if not len(wins):
        return None
    total = float(wins.sum())
    ends = [wilson_interval(int(edge), len(wins)) for edge in (np.floor(total), np.ceil(total))]
    return Interval(total / len(wins), ends[0].low, ends[1].high, ends[0].confidence)
