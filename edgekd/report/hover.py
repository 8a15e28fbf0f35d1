"""What a point says when the reader points at it: its name and every figure it has."""

from __future__ import annotations

from edgekd.report.figure import plain
from edgekd.report.printing import (
    print_bytes,
    print_ms,
    print_percent,
    print_points,
    print_ratio,
    range_ms,
    range_percent,
    range_ratio,
)
from edgekd.report.teacher import TeacherNote
from edgekd.report.variants import VariantRow


def hover_variant(number: int, row: VariantRow, metric: str) -> str:
    """Name a variant by its number in the tables, with all its figures; `metric` is that of its quality."""
    drop = row.overall_drop
    lines = [
        f"<b>{number} · {plain(row.name)}</b>",
        f"{plain(row.student)} · {plain(row.runtime)} · {plain(row.recipe)}",
        f"{row.status}{' with a warning' if row.look == 'warning' else ''}"
        f"{', on the front' if row.on_front else ''}",
        f"p50 {print_ms(row.p50_ms)} [{range_ms(row.p50_ms)}]" if row.p50_ms else "",
        f"p95 {print_ms(row.p95_ms)} [{range_ms(row.p95_ms)}]" if row.p95_ms else "",
        f"speed-up {print_ratio(row.speedup_vs_teacher)} [{range_ratio(row.speedup_vs_teacher)}]"
        if row.speedup_vs_teacher
        else "",
        f"cold start {print_ms(row.cold_start_ms)}",
        f"memory {print_bytes(row.peak_rss_bytes)} · size {print_bytes(row.artifact_bytes)}",
        f"{metric} {print_percent(row.quality)} [{range_percent(row.quality)}]" if row.quality else "",
        f"overall drop {print_points(drop.estimate)}, bound {print_points(drop.bound)}" if drop else "",
        f"worst slice {plain(row.worst_slice)} {print_points(row.worst_slice_drop)}"
        if row.worst_slice
        else "",
    ]
    return "<br>".join(filter(None, lines))


def hover_teacher(teacher: TeacherNote) -> str:
    """Name the teacher with its figures."""
    lines = [
        f"<b>{plain(teacher.name)}</b> (teacher, PyTorch eager)",
        f"p50 {print_ms(teacher.p50_ms)} [{range_ms(teacher.p50_ms)}]" if teacher.p50_ms else "",
        f"p95 {print_ms(teacher.p95_ms)} [{range_ms(teacher.p95_ms)}]" if teacher.p95_ms else "",
        f"{teacher.metric} {print_percent(teacher.quality)} [{range_percent(teacher.quality)}]",
        f"weights {print_bytes(teacher.weights_bytes)}",
    ]
    return "<br>".join(filter(None, lines))
