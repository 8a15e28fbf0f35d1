"""Student, incumbent and teacher on rows of real traffic, and whether the test rows said so before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgekd.config import Slice
from edgekd.evaluate.arrays import Flags, Hits, Labels
from edgekd.evaluate.record import Record
from edgekd.evaluate.result import SliceResult
from edgekd.evaluate.slices import SliceRows, select_rows
from edgekd.stats.interval import Interval
from edgekd.stats.proportion import wilson_interval
from edgekd.stats.unpaired import rate_difference


@dataclass(frozen=True, eq=False)
class ShadowRows:
    """Answers to logged rows, all in the same order; label indices.

    `truth` is what was right, or where nobody has said so the teacher's answer; `wins` is the share of a
    person's preference for the student over the incumbent (1, .5, 0), and not a number where nobody looked.
    """

    student: Labels
    incumbent: Labels
    teacher: Labels
    truth: Labels
    wins: np.ndarray


@dataclass(frozen=True)
class ShadowSlice(Record):
    """One slice of the traffic; what it has no rows for is absent.

    Attributes:
        teacher_preference_match: share of rows that the student answers as the teacher does.
        student_win_rate: of the rows that people compared, a tie counts half.
        policy_escalation_recall: the student's recall of the slice's classes.
        baseline_escalation_recall: the incumbent's.
        mismatch: offline minus shadow figure, where that is no chance at 95 % over all slices.
    """

    name: str
    n: int
    teacher_preference_match: Interval | None
    student_win_rate: Interval | None
    policy_escalation_recall: Interval | None
    baseline_escalation_recall: Interval | None
    mismatch: Interval | None


def compare_shadow(
    rows: ShadowRows,
    labels: Sequence[str],
    slices: Sequence[Slice],
    masks: Mapping[str, Flags],
    offline: Mapping[str, SliceResult],
) -> tuple[ShadowSlice, ...]:
    """Compare slice by slice; `offline` holds the student's own slices on the test rows."""
    chosen = [part for part in select_rows(slices, masks, rows.truth, labels) if part.is_paired]
    level = 1 - 0.05 / max(1, len(chosen))
    return tuple(_compare(part, rows, offline.get(part.name), level) for part in chosen)


def _compare(part: SliceRows, rows: ShadowRows, offline: SliceResult | None, level: float) -> ShadowSlice:
    student, incumbent = part.hits(rows.student, rows.truth), part.hits(rows.incumbent, rows.truth)
    n = len(student)
    looked = rows.wins[part.rows]
    looked = looked[~np.isnan(looked)]
    escalates = part.classes is not None
    mismatch = None
    if offline is not None and offline.value is not None and n:
        before = round(offline.value.estimate * offline.n)
        found = rate_difference(before, offline.n, int(student.sum()), n, level)
        mismatch = found if found.low > 0 or found.high < 0 else None
    return ShadowSlice(
        name=part.name,
        n=n,
        teacher_preference_match=_rate((rows.student == rows.teacher)[part.rows]),
        student_win_rate=_mean(looked),
        policy_escalation_recall=_rate(student) if escalates else None,
        baseline_escalation_recall=_rate(incumbent) if escalates else None,
        mismatch=mismatch,
    )


def _rate(hits: Hits) -> Interval | None:
    return wilson_interval(int(hits.sum()), len(hits)) if len(hits) else None


def _mean(wins: np.ndarray) -> Interval | None:
    """Mean of wins, ties counting half; Wilson's interval of the nearest counts on either side."""
    if not len(wins):
        return None
    total = float(wins.sum())
    ends = [wilson_interval(int(edge), len(wins)) for edge in (np.floor(total), np.ceil(total))]
    return Interval(total / len(wins), ends[0].low, ends[1].high, ends[0].confidence)
