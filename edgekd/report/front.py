"""Latency against quality: every variant of a target, the Pareto front, the teacher, the limits."""

from __future__ import annotations

import math
from typing import Any

from edgekd.report.figure import Figure, finite, plain
from edgekd.report.hover import hover_teacher, hover_variant
from edgekd.report.printing import one_line, print_ms, print_percent
from edgekd.report.teacher import TeacherNote
from edgekd.report.variants import VariantRow
from edgekd.report.view import TargetReport
from edgekd.stats.interval import Interval

_LOOK = {
    "pass": ("passes", "circle", "--pass"),
    "warning": ("passes with a warning", "circle", "--unsure"),
    "inconclusive": ("inconclusive", "diamond", "--unsure"),
    "not eligible": ("not eligible", "hexagon", "--muted"),
    "fail": ("fails", "square", "--fail"),
}
_LABEL_LENGTH = 32


def front_figure(figure_id: str, target: TargetReport, teacher: TeacherNote) -> Figure | None:
    """Draw latency against quality of every variant that has both; None if none has."""
    points = [
        (number, row, row.p95_ms, row.quality)
        for number, row in enumerate(target.ranked, 1)
        if row.p95_ms and row.quality and _can_be_drawn(row.p95_ms, row.quality)
    ]
    if not points:
        return None
    front = sorted((p95.estimate, quality.estimate) for _, row, p95, quality in points if row.on_front)
    data: list[dict[str, Any]] = [_front_line(front)] if front else []
    winner = target.winner
    # What is drawn last lies on top: better ones over worse ones, and the promoted one, number 1, over all.
    worst_first = sorted(_LOOK, key=[*_LOOK].index, reverse=True)
    for status in sorted(worst_first, key=lambda status: winner is not None and status == winner.look):
        chosen = [point for point in reversed(points) if point[1].look == status]
        if chosen:
            rank = 1 + [*_LOOK].index(status)
            data.append({**_marks(_LOOK[status], chosen, teacher.metric), "legendrank": rank})
    notes: list[dict[str, Any]] = []
    if winner and winner.p95_ms and winner.quality:
        data.append(_ring(winner.p95_ms.estimate, winner.quality.estimate))
    if teacher.p95_ms:
        data.append(_teacher(teacher, teacher.p95_ms))
    x_range, ticks = _log_axis(target, teacher, [p95 for _, _, p95, _ in points])
    margin = next((part.margin for part in target.slices if part.name == "overall"), None)
    floor = None if margin is None else teacher.quality.estimate - margin
    shapes = _reference_lines(target, teacher, floor, x_range, notes)
    if winner and winner.p95_ms and winner.quality:
        notes.append(_name_note(winner.name, winner.p95_ms, winner.quality, x_range))
    layout = {
        "xaxis": {
            "type": "log",
            "title": {"text": f"p95 latency, ms ({target.basis})"},
            "range": x_range,
            "tickvals": ticks,
            "ticktext": [f"{tick:g}" for tick in ticks],
        },
        "yaxis": {
            "title": {"text": f"{teacher.metric}, overall"},
            "ticksuffix": " %",
            "range": _share_range([quality for *_, quality in points] + [teacher.quality], floor),
        },
        "shapes": shapes,
        "annotations": notes,
        "hovermode": "closest",
    }
    return Figure(
        figure_id, "Latency against quality", _front_words(target, front, teacher.metric), tuple(data), layout
    )


_Point = tuple[int, VariantRow, Interval, Interval]


def _can_be_drawn(p95_ms: Interval, quality: Interval) -> bool:
    return p95_ms.estimate > 0 and math.isfinite(p95_ms.estimate) and math.isfinite(quality.estimate)


def _front_line(front: list[tuple[float, float]]) -> dict[str, Any]:
    return {
        "name": "Pareto front",
        "legendrank": 0,
        "mode": "lines",
        "x": [x for x, _ in front],
        "y": [100 * y for _, y in front],
        "line": {"shape": "hv", "color": "--front", "width": 2},
        "hoverinfo": "skip",
    }


def _marks(look: tuple[str, str, str], points: list[_Point], metric: str) -> dict[str, Any]:
    name, symbol, color = look
    return {
        "name": name,
        "mode": "markers+text",
        "x": [p95.estimate for _, _, p95, _ in points],
        "y": [100 * quality.estimate for *_, quality in points],
        "error_x": _error([p95 for _, _, p95, _ in points], color, 1),
        "error_y": _error([quality for *_, quality in points], color, 100),
        "text": [str(number) for number, *_ in points],
        "textfont": {"color": "--on-mark", "size": 11},
        "marker": {"symbol": symbol, "color": color, "size": 20},
        "hovertext": [hover_variant(number, row, metric) for number, row, *_ in points],
        "hoverinfo": "text",
    }


def _ring(p95_ms: float, quality: float) -> dict[str, Any]:
    return {
        "name": "promoted",
        "mode": "markers",
        "x": [p95_ms],
        "y": [100 * quality],
        "marker": {"symbol": "circle-open", "color": "--accent", "size": 32, "line": {"width": 3}},
        "hoverinfo": "skip",
    }


def _teacher(teacher: TeacherNote, p95_ms: Interval) -> dict[str, Any]:
    return {
        "name": "teacher",
        "mode": "markers",
        "x": [p95_ms.estimate],
        "y": [100 * teacher.quality.estimate],
        "error_x": _error([p95_ms], "--muted", 1),
        "error_y": _error([teacher.quality], "--muted", 100),
        "marker": {"symbol": "star", "color": "--muted", "size": 16},
        "hovertext": [hover_teacher(teacher)],
        "hoverinfo": "text",
    }


def _error(values: list[Interval], color: str, scale: float) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [scale * _arm(value.high - value.estimate) for value in values],
        "arrayminus": [scale * _arm(value.estimate - value.low) for value in values],
        "color": color,
        "thickness": 1.5,
        "width": 4,
    }


def _arm(length: float) -> float:
    return max(0.0, length) if math.isfinite(length) else 0.0


def _log_axis(
    target: TargetReport, teacher: TeacherNote, latencies: list[Interval]
) -> tuple[list[float], list[float]]:
    ends = [end for interval in latencies for end in (interval.low, interval.estimate, interval.high)]
    ends += [teacher.p95_ms.low, teacher.p95_ms.high] if teacher.p95_ms else []
    ends += [target.p95_limit_ms] if target.p95_limit_ms else []
    known = [end for end in finite(ends) if end > 0]
    low, high = math.log10(min(known)), math.log10(max(known))
    pad = max(0.12, 0.08 * (high - low))
    low, high = low - pad, high + pad
    ticks = [
        round(step * 10.0**power, 9)
        for power in range(math.floor(low), math.ceil(high) + 1)
        for step in ((1, 2, 5) if high - low < 3 else (1,))
    ]
    return [low, high], [tick for tick in ticks if low <= math.log10(tick) <= high]


def _share_range(shares: list[Interval], floor: float | None) -> list[float]:
    ends = finite([floor, *(end for share in shares for end in (share.low, share.estimate, share.high))])
    pad = 0.08 * (max(ends) - min(ends)) + 0.002
    return [100 * (min(ends) - pad), 100 * (max(ends) + 1.8 * pad)]


def _reference_lines(
    target: TargetReport,
    teacher: TeacherNote,
    floor: float | None,
    x_range: list[float],
    notes: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    limit = target.p95_limit_ms
    shapes: list[dict[str, Any]] = []
    if limit and floor is not None:  # the corner that a variant has to reach
        corner = {"x0": 10 ** x_range[0], "x1": limit, "y0": 100 * floor, "y1": 100}
        fill = {"fillcolor": "--corner", "line": {"width": 0}, "layer": "below"}
        shapes.append({"type": "rect", **corner, **fill})
    if limit:
        line = {"color": "--fail", "width": 1.5, "dash": "dash"}
        shapes.append(
            {"type": "line", "x0": limit, "x1": limit, "y0": 0, "y1": 1, "yref": "paper", "line": line}
        )
        notes.append(
            _note(
                f"limit {limit:g} ms", x=math.log10(limit), y=1, yref="paper", yanchor="top", xanchor="right"
            )
        )
    levels = [(teacher.quality.estimate, "teacher", "dot")]
    if floor is not None:
        levels.append((floor, f"teacher − {100 * (teacher.quality.estimate - floor):g}", "dash"))
    for share, words, dash in levels:
        line = {"color": "--muted", "width": 1, "dash": dash}
        y = 100 * share
        shapes.append({"type": "line", "x0": 0, "x1": 1, "xref": "paper", "y0": y, "y1": y, "line": line})
        notes.append(_note(words, x=1, xref="paper", y=y, xanchor="right", yanchor="bottom"))
    return shapes


def _note(words: str, **place: Any) -> dict[str, Any]:
    return {"text": words, "showarrow": False, "font": {"color": "--muted", "size": 11}, **place}


def _name_note(name: str, p95_ms: Interval, quality: Interval, x_range: list[float]) -> dict[str, Any]:
    x = math.log10(p95_ms.estimate)
    words = one_line(name)
    words = words if len(words) <= _LABEL_LENGTH else words[: _LABEL_LENGTH - 1] + "…"
    left = x < sum(x_range) / 2
    return {
        "text": f"<b>{plain(words)}</b>",
        "x": x,
        "y": 100 * quality.estimate,
        "ax": 22 if left else -22,
        "ay": -48,
        "xanchor": "left" if left else "right",
        "arrowcolor": "--accent",
        "arrowwidth": 1.5,
        "arrowhead": 0,
        "standoff": 17,
        "bgcolor": "--card",
        "borderpad": 2,
        "font": {"color": "--accent", "size": 12},
    }


def _front_words(target: TargetReport, front: list[tuple[float, float]], metric: str) -> str:
    words = [f"Latency against {metric} of {len(target.variants)} variants on {one_line(target.name)}."]
    winner = target.winner
    if winner:
        figures = f"p95 {print_ms(winner.p95_ms)} and {metric} {print_percent(winner.quality)}"
        words.append(f"Promoted: {one_line(winner.name)}, {figures}.")
    if front:
        ends = ", ".join(f"{print_percent(y)} at {print_ms(x)}" for x, y in front)
        words.append(f"The Pareto front: {ends}.")
    return " ".join([*words, "The table below holds every figure."])
