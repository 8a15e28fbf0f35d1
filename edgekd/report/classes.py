"""Each class on its own: how often it is found, what it is taken for, and what a bias for floors costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekd.stats.interval import Interval

MOST_CLASSES = 30
"""From more classes on, the report shows the worst of them and the most frequent confusions."""
REFUSED = "refused"


@dataclass(frozen=True)
class ClassRow:
    """One class: rows of it in train and in test, and what the served variant and its teacher reach."""

    name: str
    train: int
    n: int
    recall: Interval | None
    precision: Interval | None
    teacher_recall: Interval | None
    teacher_precision: Interval | None


@dataclass(frozen=True)
class ConfusionRow:
    """How many rows of the class `truth` were answered as `answer`."""

    truth: str
    answer: str
    n: int


@dataclass(frozen=True, kw_only=True)
class BiasNote:
    """What is added to the scores of classes so that floors hold; accuracies are of validation rows.

    `unmet` are slices whose limits no bias makes validation rows prove; `thin` the classes with too few.
    """

    added: tuple[tuple[str, float], ...]
    accuracy_before: float
    accuracy_after: float
    unmet: tuple[str, ...] = ()
    thin: tuple[tuple[str, int], ...] = ()

    @property
    def words(self) -> str:
        """Say the bias of each class, and what it costs; empty where nothing is added."""
        parts = []
        if self.added:
            bias = ", ".join(f"{name} {number:+g}" for name, number in self.added)
            before, after = 100 * self.accuracy_before, 100 * self.accuracy_after
            parts.append(
                f"So that floors hold, this is added to the scores of classes before one is chosen: "
                f"{bias}. On validation rows that costs {before - after:.2f} points of accuracy "
                f"({before:.1f} % without, {after:.1f} % with it). Probabilities stay as they are."
            )
        if self.unmet:
            parts.append(f"No bias makes validation rows prove the limits of {', '.join(self.unmet)}.")
        if self.thin:
            rows = ", ".join(f"{name} ({n:,})" for name, n in self.thin)
            parts.append(f"The fit rests on few validation rows of {rows}.")
        return " ".join(parts)


@dataclass(frozen=True)
class Matrix:
    """Confusions as a square table: `rows` hold a true class and its counts, one for each of `answers`."""

    answers: tuple[str, ...]
    rows: tuple[tuple[str, tuple[int, ...]], ...]


def worst_classes(classes: Sequence[ClassRow], most: int = MOST_CLASSES) -> tuple[tuple[ClassRow, ...], int]:
    """Return the classes of the lowest recall, at most so many, and how many were left out."""
    ranked = sorted(classes, key=lambda row: (2.0 if row.recall is None else row.recall.estimate, row.name))
    return tuple(ranked[:most]), max(0, len(ranked) - most)


def confusion_matrix(
    classes: Sequence[ClassRow], confusions: Sequence[ConfusionRow], most: int = MOST_CLASSES
) -> Matrix | None:
    """Lay confusions out with the right answers on the diagonal; None where there are too many classes.

    Rows and columns are in the order of names. An answer without a label has a column of its own.
    """
    if not classes or len(classes) > most:
        return None
    names = sorted(row.name for row in classes)
    answers = (*names, *((REFUSED,) if any(not entry.answer for entry in confusions) else ()))
    counts = {(entry.truth, entry.answer or REFUSED): entry.n for entry in confusions}
    wrong = dict.fromkeys(names, 0)
    for entry in confusions:
        wrong[entry.truth] = wrong.get(entry.truth, 0) + entry.n
    support = {row.name: row.n for row in classes}
    for name in names:
        counts[name, name] = support[name] - wrong[name]
    rows = tuple((name, tuple(counts.get((name, answer), 0) for answer in answers)) for name in names)
    return Matrix(answers, rows)
