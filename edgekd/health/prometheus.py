"""Figures of health as Prometheus reads them (text format 0.0.4), for alerts."""

from __future__ import annotations

from collections.abc import Iterable

from edgekd.health.figure import Figure

_STATES = {"good": 1, "no target": 1, "unsure": 1, "bad": 0}


def to_prometheus(figures: Iterable[Figure], project: str, is_releasable: bool) -> str:
    """Write each figure as a gauge of project and slice, and beside it whether it holds its target.

    >>> figure = Figure("traffic", "fallback_rate", "overall", 0.31, 0.3, 0.32, "service log")
    >>> to_prometheus([figure], "shop", True).splitlines()[-1]
    'edgekd_releasable{project="shop"} 1'
    """
    by_name: dict[str, list[Figure]] = {}
    for figure in figures:
        by_name.setdefault(figure.name, []).append(figure)
    lines = []
    for name, found in sorted(by_name.items()):
        lines.append(f"# TYPE edgekd_{name} gauge")
        lines += [f"edgekd_{name}{_labels(project, figure)} {figure.value!r}" for figure in found]
    lines.append("# HELP edgekd_target_held 0 where a figure is shown to miss its target.")
    lines.append("# TYPE edgekd_target_held gauge")
    lines += [
        f"edgekd_target_held{_labels(project, figure, figure.name)} {_STATES[figure.state]}"
        for _, found in sorted(by_name.items())
        for figure in found
        if figure.target is not None
    ]
    lines.append("# TYPE edgekd_releasable gauge")
    lines.append(f'edgekd_releasable{{project="{_quote(project)}"}} {int(is_releasable)}')
    return "\n".join(lines) + "\n"


def _labels(project: str, figure: Figure, name: str | None = None) -> str:
    labels = {"project": project, "slice": figure.slice, **({} if name is None else {"figure": name})}
    inner = ",".join(f'{key}="{_quote(value)}"' for key, value in labels.items())
    return f"{{{inner}}}"


def _quote(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
