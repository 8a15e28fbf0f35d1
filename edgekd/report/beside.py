"""Figures that stand beside those that a gate judges by: one line a slice and figure, one column a model."""

from __future__ import annotations

from collections.abc import Sequence

from edgekd.report.printing import ABSENT, print_percent, range_percent
from edgekd.report.variants import FigureRow


def figure_columns(figures: Sequence[FigureRow]) -> tuple[str, ...]:
    """Name those whose figures there are, in their order; the variant's own name is empty."""
    return tuple(dict.fromkeys(whose for figure in figures for whose, _ in figure.values))


def print_figure(figure: FigureRow, whose: str) -> str:
    """Print one value with its interval: a share in per cent, else with three digits."""
    value = figure.of(whose)
    if value is None:
        return ABSENT
    if figure.is_share:
        return f"{print_percent(value)} ({range_percent(value)})"
    return f"{value.estimate:.3f} ({value.low:.3f} to {value.high:.3f})"
