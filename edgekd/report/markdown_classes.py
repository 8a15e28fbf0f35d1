"""The section "per class" in Markdown."""

from __future__ import annotations

from edgekd.report.classes import REFUSED, confusion_matrix, worst_classes
from edgekd.report.markdown_text import escape, share, table
from edgekd.report.printing import print_count
from edgekd.report.variants import VariantRow

_MOST = 15


def render_classes(row: VariantRow) -> list[str]:
    """Render the classes of the lowest recall, what they are taken for, and what the bias costs."""
    worst, left = worst_classes(row.classes, _MOST)
    rows = [
        [
            escape(entry.name),
            print_count(entry.train),
            print_count(entry.n),
            share(entry.teacher_recall),
            share(entry.recall),
            share(entry.teacher_precision),
            share(entry.precision),
        ]
        for entry in worst
    ]
    heads = "Class|Train rows|Test rows|Recall, teacher|Recall|Precision, teacher|Precision"
    parts = [
        f"### Per class: {escape(row.name)}{', student and teacher together' if row.routing else ''}",
        table(heads.split("|"), rows, right=range(1, 7)),
    ]
    if left:
        parts.append(f"These are the {_MOST} classes of the lowest recall; {left} more are left out.")
    if row.bias and row.bias.words:
        parts.append(escape(row.bias.words))
    return parts + _confusions(row)


def _confusions(row: VariantRow) -> list[str]:
    if not row.confusions:
        return []
    matrix = confusion_matrix(row.classes, row.confusions, _MOST)
    if matrix is not None:
        heads = ["True class", *map(escape, matrix.answers)]
        cells = [[escape(name), *map(print_count, counts)] for name, counts in matrix.rows]
        return ["Rows of each true class, by what was answered:", table(heads, cells, range(1, len(heads)))]
    chosen = row.confusions[:_MOST]
    cells = [[escape(entry.truth), escape(entry.answer or REFUSED), print_count(entry.n)] for entry in chosen]
    rest = sum(entry.n for entry in row.confusions[_MOST:])
    words = "The most frequent confusions" + (f"; {rest:,} rows are in rarer ones" if rest else "")
    return [f"{words}:", table(["True class", "Answered as", "Rows"], cells, right=[2])]
