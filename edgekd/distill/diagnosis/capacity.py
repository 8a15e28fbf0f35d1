"""Several students of one run beside one another, and whether one is too small."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from edgekd.distill.diagnosis.finding import Finding, Setup
from edgekd.distill.diagnosis.history import History
from edgekd.distill.logs.training_events import CapacityAnalysis, ClassSliceEval, EpochSummary
from edgekd.words import name_figure

EASY_RECALL = 0.95
"""A class is easy where the teacher recalls this share of it."""
EASY_ROWS = 30
"""Fewer rows of easy classes than these say nothing."""
EASY_EPOCHS = 2
"""Epochs after which easy classes should be learned."""
WEAK, MENDED = 0.10, 0.05
"""Shares of the easy rows by which a student is weak at first, and has caught up at the end."""
RARE = 0.5
"""A class is rare where its rows are under this share of an even share."""


@dataclass(frozen=True)
class Cost:
    """What is known of a student beside its training; what was not measured is None."""

    params_millions: float | None = None
    p95_ms: float | None = None
    cost_per_1k_usd: float | None = None


@dataclass(frozen=True)
class CapacityStep:
    """What the next weaker student gives up, and what it saves; positive drops and savings."""

    stronger: str
    weaker: str
    quality_drop: float
    p95_saved_ms: float | None
    cost_saved_usd: float | None

    def conversion_loss(self, per_hundredth: float) -> float:
        """Turn the drop into a relative loss of conversion, at a measured loss a hundredth of quality.

        >>> round(CapacityStep("40M", "10M", 0.12, 9, 0.04).conversion_loss(0.003), 4)
        0.036
        """
        return 100 * self.quality_drop * per_hundredth


def analyse_capacity(
    histories: Sequence[History], costs: Mapping[str, Cost] | None = None
) -> tuple[CapacityAnalysis, ...]:
    """Describe each student at its best epoch, on validation rows; the best quality first."""
    rows = [_analyse(history, (costs or {}).get(history.student, Cost())) for history in histories]
    return tuple(sorted(rows, key=lambda row: -row.quality))


def capacity_steps(rows: Sequence[CapacityAnalysis]) -> tuple[CapacityStep, ...]:
    """Compare each student with the next weaker one."""
    return tuple(
        CapacityStep(
            strong.student,
            weak.student,
            strong.quality - weak.quality,
            _saved(strong.p95_ms, weak.p95_ms),
            _saved(strong.cost_per_1k_usd, weak.cost_per_1k_usd),
        )
        for strong, weak in pairwise(rows)
    )


def judge_capacity(history: History, others: Sequence[History], setup: Setup) -> Finding | None:
    """Say that a student is too small: weak on easy classes, or far above what another one reaches."""
    evidence = [words for words in (_weak_on_easy(history), _far_above(history, others)) if words]
    if not evidence:
        return None
    return Finding(
        "student too small",
        "it has not the room for what its teacher knows",
        tuple(evidence),
        "a larger student" + ("" if setup.enlarge() else ": write models/NAME.yaml with more layers"),
        setup.enlarge() or ("edgekd show models",),
    )


def rare_recall(classes: Sequence[ClassSliceEval]) -> float | None:
    """Return the recall of rare classes, their rows taken together; None where no class is rare."""
    met = [found for found in classes if found.support]
    rows = sum(found.support for found in met)
    return _pooled([found for found in met if found.support < RARE * rows / len(met)])


def _analyse(history: History, cost: Cost) -> CapacityAnalysis:
    best = history.best
    metric, quality = _quality(best)
    soft = history.soft_losses if history.is_distilled else history.series("train_loss")
    return CapacityAnalysis(
        student=history.student,
        train_kd_loss=tuple(value for _, value in soft),
        quality=quality,
        quality_metric=metric,
        calibration_ece=best.calibration_ece,
        rare_query_recall=rare_recall([c for c in history.classes if c.epoch == best.epoch]),
        params_millions=cost.params_millions,
        p95_ms=cost.p95_ms,
        cost_per_1k_usd=cost.cost_per_1k_usd,
    )


def _quality(epoch: EpochSummary) -> tuple[str, float]:
    """Return the figure that says how good an epoch's answers are, higher is better, and its name."""
    value, name = epoch.chosen_value, name_figure(str(epoch.chosen_by))
    if value is not None:
        return (name, value) if epoch.is_higher_better else (f"1 - {name}", 1 - value)
    known = [("accuracy", epoch.val_accuracy), ("teacher preference match", epoch.teacher_preference_match)]
    return next(((name, value) for name, value in known if value is not None), ("none", 0.0))


def _weak_on_easy(history: History) -> str | None:
    """Compare recall of the classes that are easy for the teacher, early and at the end."""
    first = history.epochs[0].epoch
    early = _easy_gap(history, min(first + EASY_EPOCHS - 1, history.epochs[-1].epoch))
    late = _easy_gap(history, history.epochs[-1].epoch)
    if early is None or late is None or early[1] - early[0] <= WEAK or late[1] - late[0] <= MENDED:
        return None
    (student, teacher, epoch, count), (end, *_, last, _) = early, late
    words = f"recall of the {count} easy classes {100 * student:.1f} % after epoch {epoch}"
    end_words = f", {100 * end:.1f} % after epoch {last}" if last != epoch else ""
    return f"{words}{end_words}; the teacher's is {100 * teacher:.1f} %"


def _easy_gap(history: History, epoch: int) -> tuple[float, float, int, int] | None:
    easy = [c for c in history.classes if c.epoch == epoch and c.support and c.teacher_recall >= EASY_RECALL]
    student = _pooled(easy)
    if student is None or (rows := sum(c.support for c in easy)) < EASY_ROWS:
        return None
    return student, sum(c.teacher_recall * c.support for c in easy) / rows, epoch, len(easy)


def _far_above(history: History, others: Sequence[History]) -> str | None:
    """Compare training loss and held-out quality with the best other student of the run.

    Too small is one that at its last epoch's pace would need as many epochs again, or more, to reach the
    other's training loss, and that agrees with the teacher less by over a point and over chance.
    """
    own = history.series("train_loss")
    if len(own) < 2 or not others:
        return None
    other = min(others, key=lambda found: found.epochs[-1].train_loss)
    reached, here = other.epochs[-1].train_loss, own[-1][1]
    pace = math.log(own[-2][1] / here) if own[-2][1] > here > 0 else 0.0
    needed = math.inf if pace <= 0 else math.log(here / reached) / pace if reached > 0 else math.inf
    if here <= 2 * reached or needed < len(own) or not _agrees_less(history, other):
        return None
    match, others_match = history.best.teacher_preference_match, other.best.teacher_preference_match
    assert match is not None and others_match is not None
    wait = "no longer falling" if needed == math.inf else f"{needed:.0f} epochs away at the last one's pace"
    return (
        f"training loss {here:.3f} after epoch {own[-1][0]}, where {other.student} reaches {reached:.3f} "
        f"on the same rows ({wait}); it answers as the teacher {100 * match:.1f} % of the time, "
        f"{other.student} {100 * others_match:.1f} %"
    )


def _agrees_less(history: History, other: History) -> bool:
    match, others_match = history.best.teacher_preference_match, other.best.teacher_preference_match
    if match is None or others_match is None:
        return False
    n = history.best.val_rows
    noise = math.sqrt(match * (1 - match) / n) if n else 0.0
    return others_match - match > max(0.01, noise)


def _pooled(classes: Sequence[ClassSliceEval]) -> float | None:
    rows = sum(found.support for found in classes)
    return sum(found.student_recall * found.support for found in classes) / rows if rows else None


def _saved(strong: float | None, weak: float | None) -> float | None:
    return None if strong is None or weak is None else strong - weak
