"""One line a target, or a slice of traffic: what the command line prints last."""

from __future__ import annotations

from collections.abc import Sequence

from edgekd.evaluate.classify.shadow import ShadowSlice
from edgekd.report.floors import lowest_floor
from edgekd.report.printing import (
    ABSENT,
    one_line,
    print_bytes,
    print_ms,
    print_percent,
    print_points,
    range_ms,
    range_percent,
    range_points,
    verdict,
)
from edgekd.report.view import TargetReport
from edgekd.stats.interval import Interval


def target_lines(targets: Sequence[TargetReport]) -> list[str]:
    """Print targets, one line each, with their columns under one another.

    A target without a promoted variant has no figures: its reason follows its name.
    """
    names = [f"{one_line(target.name)}:" for target in targets]
    figures = _without_empty_columns([_figures(target) for target in targets])
    widths = [max(map(len, column)) for column in zip(*filter(None, figures), strict=True)]
    first = max(map(len, names), default=0)
    lines = []
    for name, row, target in zip(names, figures, targets, strict=True):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        lines.append(f"{name.ljust(first)} {'  '.join([*cells, verdict(target)])}")
    return lines


def _figures(target: TargetReport) -> list[str]:
    if target.promoted is None:
        return []
    row = target.winner
    if row is None:  # the incumbent stayed and was not tried in this run
        return [one_line(target.promoted), *["" for _ in range(6)]]
    p95 = f"{print_ms(row.p95_ms)} [{range_ms(row.p95_ms)}]" if row.p95_ms else ABSENT
    if row.worst_slice_drop is None:
        worst = ABSENT
    else:
        worst = f"{print_points(row.worst_slice_drop)} points ({one_line(row.worst_slice)})"
    floor = lowest_floor(target)
    return [
        one_line(row.name),
        f"p50 {print_ms(row.p50_ms)}",
        f"p95 {p95}",
        f"memory {print_bytes(row.peak_rss_bytes)}",
        f"size {print_bytes(row.artifact_bytes)}",
        f"worst drop {worst}",
        f"lowest floor: {one_line(floor.words)}" if floor else "",
    ]


def _without_empty_columns(rows: list[list[str]]) -> list[list[str]]:
    """Leave out a column that no target has anything in; a target without figures stays without."""
    full = [row for row in rows if row]
    kept = [place for place in range(len(full[0])) if any(row[place] for row in full)] if full else []
    return [[row[place] for place in kept] if row else [] for row in rows]


def shadow_lines(slices: Sequence[ShadowSlice]) -> tuple[str, ...]:
    """Print each slice of the traffic; where offline said otherwise, by how much."""
    lines = []
    for entry in slices:
        parts = [
            ("match with the teacher", entry.teacher_preference_match),
            ("wins", entry.student_win_rate),
            ("recall", entry.policy_escalation_recall),
            ("incumbent's recall", entry.baseline_escalation_recall),
        ]
        shown = ", ".join(f"{name} {_share(value)}" for name, value in parts if value is not None)
        line = f"{one_line(entry.name)}: {entry.n:,} rows, {entry.labelled:,} with a label" + (
            f", {shown}" if shown else ""
        )
        for what, found in (
            ("right answers", entry.mismatch),
            ("match with the teacher", entry.preference_mismatch),
        ):
            if found is not None:
                points = f"{print_points(found)} points [{range_points(found)}]"
                line += f"; MISMATCH of {what}: offline {points}"
        lines.append(line)
    return tuple(lines)


def _share(value: Interval) -> str:
    return f"{print_percent(value)} [{range_percent(value)}]"
