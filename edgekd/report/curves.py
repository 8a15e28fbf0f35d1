"""Training curves: validation quality of all students together, and the losses of each."""

from __future__ import annotations

from typing import Any

from edgekd.report.figure import Figure, finite, plain
from edgekd.report.printing import one_line, print_percent
from edgekd.report.view import Curve

_LINES = (("--line-1", "solid"), ("--line-2", "dash"), ("--line-3", "dot"), ("--line-4", "dashdot"))


def curve_figures(curves: tuple[Curve, ...], metric: str) -> list[Figure]:
    """Draw validation quality, by its metric, of all students together, and the losses of each."""
    curves = tuple(curve for curve in curves if curve.epochs)
    if not curves:
        return []
    data = []
    for index, curve in enumerate(curves):
        y = [None if e.val_quality is None else 100 * e.val_quality for e in curve.epochs]
        data.append(_line(curve.student, curve, y, index))
    best = "; ".join(
        f"{one_line(curve.student)} {print_percent(max(finite(e.val_quality for e in curve.epochs)))}"
        for curve in curves
        if finite(e.val_quality for e in curve.epochs)
    )
    layout = _epoch_layout(metric, " %")
    words = f"Validation {metric} by epoch. Highest: {best}."
    figures = [Figure("curve-quality", f"Validation {metric}", words, tuple(data), layout)]
    for number, curve in enumerate(curves, 1):
        losses = (
            ("train", [e.train_loss for e in curve.epochs]),
            ("validation", [e.val_loss for e in curve.epochs]),
            *((name, [point.term(name) for point in curve.epochs]) for name in curve.term_names),
        )
        lines = [_line(name, curve, y, i) for i, (name, y) in enumerate(losses) if finite(y)]
        if lines:
            title = f"Losses of {one_line(curve.student)}"
            words = f"{title} by epoch, over {len(curve.epochs)} epochs."
            figures.append(Figure(f"curve-{number}", title, words, tuple(lines), _epoch_layout("loss", "")))
    return figures


def _line(name: str, curve: Curve, y: list[float | None], index: int) -> dict[str, Any]:
    """Draw one figure over the epochs that have it, from point to point: an epoch without it is no hole."""
    color, dash = _LINES[index % len(_LINES)]
    shown = [(point.epoch, value) for point, value in zip(curve.epochs, y, strict=True) if finite([value])]
    return {
        "name": plain(name),
        "mode": "lines+markers",
        "x": [epoch for epoch, _ in shown],
        "y": [value for _, value in shown],
        "line": {"color": color, "dash": dash, "width": 2},
        "marker": {"color": color, "size": 5},
        "hovertemplate": "epoch %{x}: %{y:.4g}",
    }


def _epoch_layout(title: str, suffix: str) -> dict[str, Any]:
    return {
        "xaxis": {"title": {"text": "epoch"}, "tickformat": "d", "rangemode": "tozero"},
        "yaxis": {"title": {"text": title}, "ticksuffix": suffix, "rangemode": "normal"},
        "hovermode": "x unified",
    }
