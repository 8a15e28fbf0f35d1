"""Reliability diagram: what a variant says of its answers against how often they are right."""

from __future__ import annotations

from typing import Any

from edgekd.report.figure import Figure
from edgekd.report.printing import one_line, print_percent
from edgekd.report.variants import ReliabilityRow, VariantRow


def reliability_figure(figure_id: str, row: VariantRow) -> Figure | None:
    """Draw the slice `overall`, its bins with their intervals; None if it was not measured.

    Source of the form: Guo, C. et al. (2017), On calibration of modern neural networks, ICML, figure 1.
    """
    found = next((part for part in row.reliability if part.name == "overall"), None)
    if found is None:
        return None
    low = min(min(said, right.low) for said, right in found.bins)
    ends = [100 * max(0.0, low - 0.03), 101.0]
    data: tuple[dict[str, Any], ...] = (_diagonal(ends), _bins(found))
    layout = {
        "xaxis": {"title": {"text": "probability of the answer"}, "ticksuffix": " %", "range": ends},
        "yaxis": {"title": {"text": "share that was right"}, "ticksuffix": " %", "range": ends},
        "hovermode": "closest",
    }
    return Figure(figure_id, f"Do its probabilities hold? {one_line(row.name)}", _words(found), data, layout)


def _diagonal(ends: list[float]) -> dict[str, Any]:
    return {
        "name": "as said",
        "mode": "lines",
        "x": ends,
        "y": ends,
        "line": {"color": "--muted", "dash": "dot", "width": 1.5},
        "hoverinfo": "skip",
    }


def _bins(found: ReliabilityRow) -> dict[str, Any]:
    rights = [right for _, right in found.bins]
    return {
        "name": "as it was",
        "mode": "lines+markers",
        "x": [100 * said for said, _ in found.bins],
        "y": [100 * right.estimate for right in rights],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [100 * (right.high - right.estimate) for right in rights],
            "arrayminus": [100 * (right.estimate - right.low) for right in rights],
            "color": "--line-1",
            "thickness": 1.5,
            "width": 4,
        },
        "line": {"color": "--line-1", "width": 1},
        "marker": {"color": "--line-1", "size": 8},
        "hovertemplate": "said %{x:.1f} %, right %{y:.1f} %",
    }


def _words(found: ReliabilityRow) -> str:
    (least, held), (most, kept) = found.bins[0], found.bins[-1]
    return (
        f"Share of right answers against the probability given, in {len(found.bins)} bins of equally many of "
        f"{found.n} rows. Least sure: said {print_percent(least)}, right {print_percent(held)}. "
        f"Most sure: said {print_percent(most)}, right {print_percent(kept)}. "
        "The table below holds the error of each slice."
    )
