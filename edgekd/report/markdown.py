"""The report as GitHub-flavoured Markdown, for a CI job's summary."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from edgekd.report.printing import (
    ABSENT,
    headline,
    one_line,
    print_bytes,
    print_count,
    print_ms,
    print_percent,
    print_points,
    print_ratio,
    print_usd,
    range_ms,
    range_percent,
    range_points,
    range_ratio,
    verdict,
)
from edgekd.report.view import RunReport, SliceRow, TargetReport, TeacherNote, VariantRow
from edgekd.stats.interval import Interval

_MARK = {
    "pass": "✅ pass",
    "warning": "⚠️ passes with a warning",
    "fail": "❌ fail",
    "inconclusive": "⚠️ inconclusive",
    "not eligible": "➖ not eligible",
}
_SPECIAL = re.compile(r"[\\`*\[\]<>|~&#!$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")


def render_markdown(report: RunReport) -> str:
    """Render the targets' summary, what held variants back, and the promoted variants' slices."""
    parts = [
        f"# {_escape(report.project)}: {headline(report.targets)}",
        _summary(report.targets),
        "Drops are teacher minus variant in percentage points: positive is worse. "
        "Brackets hold intervals; a bound is one-sided.",
    ]
    for target in report.targets:
        parts += _target(target, report.teacher)
    parts += [
        "## How this was measured",
        _bullets(
            [
                f"Teacher: {_escape(report.teacher.name)}, accuracy {_share(report.teacher.accuracy)}, "
                f"p95 {_duration(report.teacher.p95_ms)} in PyTorch eager",
                f"Rows: {', '.join(f'{_escape(name)} {print_count(n)}' for name, n in report.data.rows)}"
                f" from {_escape(report.data.source)} ({_escape(report.data.digest[:12])})",
                *[
                    f"Baseline {_escape(name)}: {print_percent(share)}"
                    for name, share in report.data.baseline
                ],
                f"Environment: {_escape(report.environment)}",
                f"Created: {_escape(report.created_utc)}",
            ]
        ),
        _fence(report.command),
    ]
    return "\n\n".join(parts) + "\n"


def _summary(targets: Sequence[TargetReport]) -> str:
    rows = []
    for target in targets:
        row = target.winner
        state = ("✅ " if target.promoted else "❌ " if target.status == "not promoted" else "➖ ") + _escape(
            verdict(target)
        )
        name = _escape(target.name)
        if row is None:
            rows.append([name, state, _escape(target.promoted or ABSENT), *[ABSENT] * 7, target.basis])
            continue
        rows.append(
            [
                name,
                state,
                _escape(row.name),
                print_ms(row.p50_ms),
                _duration(row.p95_ms),
                print_ratio(row.speedup_vs_teacher),
                print_bytes(row.peak_rss_bytes),
                print_bytes(row.artifact_bytes),
                _overall(row),
                _worst(row),
                target.basis,
            ]
        )
    heads = "Target|Verdict|Variant|p50|p95|Speed-up|Memory|Size|Overall drop (bound)|Worst slice|Measured"
    return _table(heads.split("|"), rows, right=range(3, 9))


def _target(target: TargetReport, teacher: TeacherNote) -> list[str]:
    words = verdict(target)
    if target.promoted and target.reason:
        words = f"{words}: {target.reason}"
    parts = [f"## {_escape(target.name)}", _escape(words)]
    if target.basis_reason and target.basis_reason != target.reason:
        parts.append(f"Measured: {target.basis}. {_escape(target.basis_reason)}")
    if target.variants:
        parts += ["### Variants", _variants(target, teacher)]
    held = [
        [
            _escape(row.name),
            _escape(check.name),
            _MARK.get(check.status, check.status),
            _escape(check.found),
            _escape(check.limit),
            _escape(check.reason),
        ]
        for row in target.ranked
        for check in row.checks
        if check.status != "pass"
    ]
    if held:
        heads = ["Variant", "Check", "Status", "Found", "Limit", "Reason"]
        parts += ["### Checks that did not pass", _table(heads, held)]
    if target.winner and target.slices:
        parts += [f"### Slices of {_escape(target.winner.name)}", _slices(target, target.winner)]
    if target.winner and target.winner.routing:
        parts += [f"### Routing of {_escape(target.winner.name)}", _routing(target.winner)]
    if target.winner and target.winner.reliability:
        parts += [f"### Calibration of {_escape(target.winner.name)}", _reliability(target.winner)]
    return parts


def _reliability(row: VariantRow) -> str:
    rows = [
        [_escape(part.name), print_count(part.n), f"{part.ece:.3f}", f"{part.ece_if_calibrated:.3f}"]
        for part in row.reliability
    ]
    heads = ("Slice", "Rows", "Calibration error (ECE, equal mass)", "If calibrated")
    return _table(heads, rows, right=range(1, 4))


def _routing(row: VariantRow) -> str:
    rows = [
        [
            _escape(part.name),
            print_count(part.n),
            _share(part.value),
            _share(part.fallback),
            _share(part.refused),
        ]
        for part in row.routing
    ]
    heads = ("Slice", "Rows", "Student and teacher together", "To the teacher", "Refused")
    return f"Policy: {_escape(row.policy)}\n\n" + _table(heads, rows, right=range(1, 5))


def _variants(target: TargetReport, teacher: TeacherNote) -> str:
    rows = [
        [
            _escape(row.name),
            _MARK.get(row.status, row.status),
            _share(row.quality),
            _overall(row),
            _duration(row.p95_ms),
            _speed_up(row.speedup_vs_teacher),
            _speed_up(row.speedup_vs_teacher_onnx),
            print_ms(row.cold_start_ms),
            print_bytes(row.peak_rss_bytes),
            print_bytes(row.artifact_bytes),
            f"1/{teacher.weights_bytes / row.artifact_bytes:.1f}" if row.artifact_bytes else ABSENT,
            print_usd(row.cost_per_1000_usd),
        ]
        for row in target.ranked
    ]
    heads = (
        "Variant|Gate|Accuracy, overall|Drop vs teacher (bound)|p95|p95 vs teacher, PyTorch eager|"
        "p95 vs teacher, ONNX Runtime fp32|Cold start|Memory|Size|of the teacher's weights|Cost per 1,000"
    )
    return _table(heads.split("|"), rows, right=range(2, 12))


def _speed_up(ratio: Interval | None) -> str:
    return f"{print_ratio(ratio)} [{range_ratio(ratio)}]" if ratio else ABSENT


def _slices(target: TargetReport, row: VariantRow) -> str:
    rows = []
    for part in target.slices:
        value = part.of(row.name)
        if value is None:
            continue
        rows.append(
            [
                _escape(part.name),
                part.tier,
                _escape(part.metric),
                print_count(part.n),
                _share(part.teacher),
                _share(value.value),
                _drop(value.drop_vs_teacher),
                _drop(value.drop_vs_fp32),
                ABSENT if part.margin is None else f"{100 * part.margin:.2f}",
                _limit(part),
                _MARK.get(value.status, value.status),
            ]
        )
    heads = "Slice|Tier|Metric|Rows|Teacher|Variant|Drop vs teacher|Drop vs fp32|Margin|Limit|Status"
    return _table(heads.split("|"), rows, right=range(3, 10))


def _limit(part: SliceRow) -> str:
    """Print a slice's floor, or its largest share of false alarms."""
    if part.at_most is not None:
        return f"at most {100 * part.at_most:.4g} %"
    return ABSENT if part.at_least is None else f"at least {100 * part.at_least:.4g} %"


def _drop(drop: Interval | None) -> str:
    return f"{print_points(drop)} [{range_points(drop)}]" if drop else ABSENT


def _overall(row: VariantRow) -> str:
    drop = row.overall_drop
    return f"{print_points(drop.estimate)} (≤ {print_points(drop.bound)})" if drop else ABSENT


def _worst(row: VariantRow) -> str:
    if row.worst_slice_drop is None:
        return ABSENT
    return f"{print_points(row.worst_slice_drop)} {_escape(row.worst_slice)}"


def _duration(value: Interval | None) -> str:
    return f"{print_ms(value)} [{range_ms(value)}]" if value else "not measured"


def _share(value: Interval | None) -> str:
    return f"{print_percent(value)} [{range_percent(value)}]" if value else ABSENT


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> str:
    """Join cells that are escaped already."""
    to_right = set(right)
    rule = ["---:" if index in to_right else "---" for index in range(len(heads))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, rule, *rows))


def _bullets(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _fence(text: str) -> str:
    line = one_line(text)
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", line)), default=0))
    return f"{ticks}sh\n{line}\n{ticks}"


def _escape(text: str) -> str:
    """Escape what Markdown or a table would read as more than text."""
    return _SPECIAL.sub(r"\\\g<0>", one_line(text))
