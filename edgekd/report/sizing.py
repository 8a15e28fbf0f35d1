"""What a sizing found for a target: every shape's drop against its p95 and against its memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from edgekd.report.figure import Figure, plain
from edgekd.report.printing import one_line
from edgekd.sizing.budget import Guess
from edgekd.sizing.front import UNITS, WORDS, Front, Point

_PROJECTIONS = ("p95_ms", "peak_rss_mib")
_LOOKS = {
    "measured": ("circle", "--pass"),
    "predicted": ("circle-open", "--front"),
    "too small": ("x", "--muted"),
}


def sizing_figures(number: int, front: Front) -> list[Figure]:
    """Draw an answer in two projections; none where nothing was trained."""
    if not front.points:
        return []
    return [_draw(f"sizing-{number}-{place}", front, figure) for place, figure in enumerate(_PROJECTIONS)]


def print_guess(guess: Guess) -> str:
    """Print a value and the ends of its interval.

    >>> print_guess(Guess(0.5, 0.4, 0.65))
    '0.5 (0.4 to 0.65)'
    """
    if guess.low == guess.high:
        return f"{guess.value:.3g}"
    return f"{guess.value:.3g} ({guess.low:.3g} to {guess.high:.3g})"


def state_of(point: Point) -> str:
    """Say whether a shape was measured, predicted, or called too small."""
    return "too small" if point.quality.too_small else "measured" if point.measured else "predicted"


def _draw(figure_id: str, front: Front, figure: str) -> Figure:
    unit, what = UNITS[figure], WORDS[figure]
    line = front.best(figure)
    data: list[dict[str, Any]] = [
        {
            "name": "Pareto front",
            "mode": "lines",
            "x": [point.cost.of(figure).value for point in line],
            "y": [point.drop for point in line],
            "line": {"shape": "hv", "color": "--front", "width": 2},
            "hoverinfo": "skip",
        }
    ]
    for state, (symbol, color) in _LOOKS.items():
        chosen = [point for point in front.points if state_of(point) == state]
        if chosen:
            data.append(_marks(state, symbol, color, chosen, figure))
    for name, point, color in (
        ("recommended", front.recommended, "--accent"),
        ("runner-up", front.runner_up, "--muted"),
    ):
        if point is not None:
            data.append(
                {
                    "name": name,
                    "mode": "markers",
                    "x": [point.cost.of(figure).value],
                    "y": [point.drop],
                    "marker": {"symbol": "circle-open", "color": color, "size": 24, "line": {"width": 3}},
                    "hoverinfo": "skip",
                }
            )
    layout = {
        "xaxis": {
            "type": "log",
            "title": {"text": f"{what}, {unit}"},
            "range": _range(front, figure),
        },
        "yaxis": {"title": {"text": "drop against the teacher, points"}},
        "shapes": _budget_lines(front, figure),
        "hovermode": "closest",
    }
    title = f"Drop against {what} of students for {one_line(front.target)}"
    chosen_words = (
        f" Recommended: {one_line(front.recommended.shape.name)}, {what} "
        f"{print_guess(front.recommended.cost.of(figure))} {unit}, drop "
        f"{print_guess(front.recommended.quality.drop)} points."
        if front.recommended
        else " Nothing fits the budget."
    )
    words = f"{title}, {len(front.points)} shapes.{chosen_words} The table below holds every figure."
    return Figure(figure_id, title, words, tuple(data), layout)


def _marks(state: str, symbol: str, color: str, points: Sequence[Point], figure: str) -> dict[str, Any]:
    return {
        "name": state,
        "mode": "markers",
        "x": [point.cost.of(figure).value for point in points],
        "y": [point.drop for point in points],
        "error_x": _error([point.cost.of(figure) for point in points], color),
        "error_y": _error([point.quality.drop for point in points], color),
        "marker": {"symbol": symbol, "color": color, "size": 9},
        "hovertext": [_hover(point) for point in points],
        "hoverinfo": "text",
    }


def _error(guesses: Sequence[Guess], color: str) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [max(0.0, guess.high - guess.value) for guess in guesses],
        "arrayminus": [max(0.0, guess.value - guess.low) for guess in guesses],
        "color": color,
        "thickness": 1,
        "width": 2,
    }


def _hover(point: Point) -> str:
    cost = point.cost
    lines = [
        f"<b>{plain(point.shape.name)}</b>",
        f"{state_of(point)}; taught {point.quality.rows_seen:,} rows",
        f"p50 {print_guess(cost.p50_ms)} ms",
        f"p95 {print_guess(cost.p95_ms)} ms",
        f"cold start {print_guess(cost.cold_start_ms)} ms",
        f"memory {print_guess(cost.peak_rss_mib)} MiB",
        f"size {print_guess(cost.artifact_mib)} MiB",
        f"drop {print_guess(point.quality.drop)} points",
        plain(point.quality.too_small or ""),
    ]
    return "<br>".join(filter(None, lines))


def _range(front: Front, figure: str) -> list[float]:
    """Return the ends of a logarithmic axis that shows every shape and the limit."""
    ends = [value for point in front.points for value in (point.cost.of(figure).value,) if value > 0]
    ends += [limit for name, limit in front.budget.limits.items() if name == figure]
    low, high = math.log10(min(ends, default=1.0)), math.log10(max(ends, default=1.0))
    pad = max(0.1, 0.08 * (high - low))
    return [low - pad, high + pad]


def _budget_lines(front: Front, figure: str) -> list[dict[str, Any]]:
    line = {"color": "--fail", "width": 1.5, "dash": "dash"}
    shapes: list[dict[str, Any]] = []
    if (limit := front.budget.limits.get(figure)) is not None:
        ends = {"x0": limit, "x1": limit, "y0": 0, "y1": 1, "yref": "paper"}
        shapes.append({"type": "line", **ends, "line": line})
    if (most := front.budget.max_drop) is not None:
        ends = {"x0": 0, "x1": 1, "xref": "paper", "y0": most, "y1": most}
        shapes.append({"type": "line", **ends, "line": line})
    return shapes
