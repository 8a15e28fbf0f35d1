"""The report as GitHub-flavoured Markdown, for a CI job's summary."""

from __future__ import annotations

from collections.abc import Sequence

from edgekd.report.beside import figure_columns, print_figure
from edgekd.report.floors import grouped, lowest_floor, print_bound, print_limits, print_metric
from edgekd.report.markdown_classes import render_classes
from edgekd.report.markdown_text import bullets, escape, fence, share, table
from edgekd.report.printing import (
    ABSENT,
    capital,
    headline,
    print_bytes,
    print_count,
    print_ms,
    print_percent,
    print_points,
    print_ratio,
    print_usd,
    range_ms,
    range_points,
    range_ratio,
    verdict,
)
from edgekd.report.scale import print_dollars, print_errors, print_rate_per_day
from edgekd.report.teacher import TeacherNote, print_threads
from edgekd.report.variants import DailyCosts, VariantRow
from edgekd.report.view import RunReport, TargetReport
from edgekd.stats.interval import Interval

_MARK = {
    "pass": "✅ pass",
    "warning": "⚠️ passes with a warning",
    "fail": "❌ fail",
    "inconclusive": "❔ inconclusive",
    "not eligible": "➖ not eligible",
}
_SIGN = {"pass": "✅", "fail": "❌", "inconclusive": "❔"}


def render_markdown(report: RunReport) -> str:
    """Render the targets' summary, what held variants back, and the promoted variants' slices."""
    parts = [
        f"# {escape(report.project)}: {headline(report.targets)}",
        _summary(report.targets),
        "Drops are teacher minus variant in percentage points: positive is worse. "
        "Brackets hold intervals; a bound is one-sided.",
    ]
    for target in report.targets:
        parts += _target(target, report)
    for front in report.sizings:
        words = [*front.reasons, *(opening.words for opening in front.openings)]
        parts += [f"## Sizing for {escape(front.target)}", bullets([escape(line) for line in words])]
    parts += [
        "## How this was measured",
        bullets(
            [
                f"Teacher: {escape(report.teacher.name)}, {escape(report.teacher.metric)} "
                f"{share(report.teacher.quality)}, p95 {_teacher_times(report.teacher)} in PyTorch eager",
                f"Rows: {', '.join(f'{escape(name)} {print_count(n)}' for name, n in report.data.rows)}"
                f" from {escape(report.data.source)} ({escape(report.data.digest[:12])})",
                *[
                    f"Baseline {escape(name)}: {print_percent(quality)}"
                    for name, quality in report.data.baseline
                ],
                f"Environment: {escape(report.environment)}",
                f"Created: {escape(report.created_utc)}",
            ]
        ),
        fence(report.command),
    ]
    return "\n\n".join(parts) + "\n"


def _summary(targets: Sequence[TargetReport]) -> str:
    rows = []
    for target in targets:
        row = target.winner
        state = f"{_SIGN.get(target.look, '➖')} {escape(verdict(target))}"
        floor = lowest_floor(target)
        name = escape(target.name)
        if row is None:
            rows.append([name, state, escape(target.promoted or ABSENT), *[ABSENT] * 8, target.basis])
            continue
        rows.append(
            [
                name,
                state,
                escape(row.name),
                print_ms(row.p50_ms),
                _duration(row.p95_ms),
                print_ratio(row.speedup_vs_teacher),
                print_bytes(row.peak_rss_bytes),
                print_bytes(row.artifact_bytes),
                _overall(row),
                _worst(row),
                escape(floor.words) if floor else ABSENT,
                target.basis,
            ]
        )
    heads = (
        "Target|Verdict|Variant|p50|p95|Speed-up|Memory|Size|Overall drop (bound)|Worst slice|Lowest floor|"
        "Measured"
    )
    return table(heads.split("|"), rows, right=range(3, 9))


def _target(target: TargetReport, report: RunReport) -> list[str]:
    words = target.status if target.next_step else verdict(target)
    if target.reason and (target.promoted or target.next_step):
        words = f"{words}: {target.reason}"
    parts = [f"## {escape(target.name)}", escape(words)]
    if target.next_step:
        parts += ["### What would have to pass", bullets(map(escape, target.next_step.whole))]
    if target.basis_reason and target.basis_reason != target.reason:
        parts.append(f"Measured: {target.basis}. {escape(target.basis_reason)}")
    if target.variants:
        parts += ["### Variants", _variants(target, report.teacher)]
    held = [
        [
            escape(row.name),
            escape(check.name),
            _MARK.get(check.status, check.status),
            escape(check.found),
            escape(check.limit),
            escape(check.reason),
        ]
        for row in target.ranked
        for check in row.checks
        if check.status != "pass"
    ]
    if held:
        heads = ["Variant", "Check", "Status", "Found", "Limit", "Reason"]
        parts += ["### Checks that did not pass, and warnings", table(heads, held)]
    if target.winner and target.slices:
        parts += [f"### Slices of {escape(target.winner.name)}", _slices(target, target.winner)]
        parts += [escape(report.data.counted)] if report.data.counted else []
    if target.shown and target.shown.figures:
        parts += [f"### Other figures of {escape(target.shown.name)}", _figures(target.shown)]
    if target.winner and target.winner.classes:
        parts += render_classes(target.winner)
    if target.winner and target.winner.routing:
        parts += [f"### Routing of {escape(target.winner.name)}", _routing(target.winner)]
    if target.shown and target.shown.daily_costs:
        parts += [
            f"### Cost per day of {escape(target.shown.name)}",
            _costs(target.shown.daily_costs, report),
        ]
    if target.winner and target.winner.reliability:
        parts += [f"### Calibration of {escape(target.winner.name)}", _reliability(target.winner)]
    return parts


def _reliability(row: VariantRow) -> str:
    rows = [
        [
            escape(part.name),
            print_count(part.n),
            f"{part.ece:.3f}",
            f"{part.ece_if_calibrated:.3f}",
            ABSENT if part.brier is None else f"{part.brier:.3f}",
            _beside(
                share(part.confident_errors), print_rate_per_day(part.confident_errors, part.requests_per_day)
            ),
        ]
        for part in row.reliability
    ]
    heads = (
        "Slice|Rows|Calibration error (ECE, equal mass)|If calibrated|Brier score|"
        "Confident errors (wrong at 0.9 or more)"
    )
    return table(heads.split("|"), rows, right=range(1, 6))


def _costs(costs: DailyCosts, report: RunReport) -> str:
    rows = [
        [
            escape(way.name),
            *(
                escape(print_dollars(amount))
                for amount in (way.daily, way.monthly, way.saving, way.monthly_saving)
            ),
        ]
        for way in costs.ways
    ]
    heads = ("Answered by", "Cost per day", "Cost in 30 days", "Saved per day", "Saved in 30 days")
    alert = f"\n\n⚠️ {escape(costs.alert)}" if costs.alert else ""
    requests = f"At {report.requests_per_day:,.0f} requests a day."
    return f"{requests}\n\n{table(heads, rows, right=range(1, 5))}{alert}"


def _beside(rate: str, count: str) -> str:
    return f"{rate}, {count}" if count else rate


def _figures(row: VariantRow) -> str:
    whose = figure_columns(row.figures)
    rows = [
        [
            escape(part.slice),
            escape(part.name),
            print_count(part.n),
            *(print_figure(part, one) for one in whose),
        ]
        for part in row.figures
    ]
    heads = ["Slice", "Figure", "Rows", *(escape(capital(one or "variant")) for one in whose)]
    return table(heads, rows, right=range(2, len(heads)))


def _routing(row: VariantRow) -> str:
    rows = [
        [
            escape(part.name),
            print_count(part.n),
            share(part.value),
            _beside(share(part.fallback), print_rate_per_day(part.fallback, part.requests_per_day)),
            _beside(share(part.refused), print_rate_per_day(part.refused, part.requests_per_day)),
        ]
        for part in row.routing
    ]
    heads = ("Slice", "Rows", "Student and teacher together", "To the teacher", "Refused")
    return f"Policy: {escape(row.policy)}\n\n" + table(heads, rows, right=range(1, 5))


def _variants(target: TargetReport, teacher: TeacherNote) -> str:
    rows = [
        [
            escape(row.name),
            _MARK.get(row.look, row.look),
            share(row.quality),
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
        f"Variant|Gate|{capital(teacher.metric)}, overall|Drop vs teacher (bound)|p95|"
        "p95 vs teacher, PyTorch eager|p95 vs teacher, ONNX Runtime fp32|Cold start|Memory|Size|"
        "of the teacher's weights|Cost per 1,000"
    )
    many = [
        f"{escape(row.name)}, {escape(row.throughput_words)}."
        for row in target.ranked
        if row.throughput_words
    ]
    return "\n\n".join([table(heads.split("|"), rows, right=range(2, 12)), *many])


def _speed_up(ratio: Interval | None) -> str:
    return f"{print_ratio(ratio)} [{range_ratio(ratio)}]" if ratio else ABSENT


def _slices(target: TargetReport, row: VariantRow) -> str:
    rows = []
    for line in grouped(target.slices):
        part, value = line.part, line.part.of(row.name) if line.part else None
        if part is None:
            rows.append([escape(line.label), *[""] * 10])
            continue
        if value is None:
            continue
        gains = map(escape, value.gains)
        own = [share(value.value), print_errors(part, value.value), print_bound(part, value), *gains]
        rows.append(
            [
                ("↳ " if line.is_inner else "") + escape(line.label),
                part.tier,
                escape(print_metric(part)),
                print_count(part.n),
                _beside(share(part.teacher), print_errors(part, part.teacher)),
                ", ".join(filter(None, own)),
                _drop(value.drop_vs_teacher),
                _drop(value.drop_vs_fp32),
                ABSENT if part.margin is None else f"{100 * part.margin:.2f}",
                escape(print_limits(part)) or ABSENT,
                _MARK.get(value.status, value.status),
            ]
        )
    heads = "Slice|Tier|Metric|Rows|Teacher|Variant|Drop vs teacher|Drop vs fp32|Margin|Floor|Status"
    return table(heads.split("|"), rows, right=range(3, 10))


def _drop(drop: Interval | None) -> str:
    return f"{print_points(drop)} [{range_points(drop)}]" if drop else ABSENT


def _overall(row: VariantRow) -> str:
    drop = row.overall_drop
    return f"{print_points(drop.estimate)} (≤ {print_points(drop.bound)})" if drop else ABSENT


def _worst(row: VariantRow) -> str:
    if row.worst_slice_drop is None:
        return ABSENT
    return f"{print_points(row.worst_slice_drop)} {escape(row.worst_slice)}"


def _teacher_times(teacher: TeacherNote) -> str:
    """Print the teacher's p95; for each number of threads where there are several."""
    if len(teacher.times) < 2:
        return _duration(teacher.p95_ms)
    return ", ".join(f"{_duration(one.p95_ms)} with {print_threads(one.threads)}" for one in teacher.times)


def _duration(value: Interval | None) -> str:
    return f"{print_ms(value)} [{range_ms(value)}]" if value else "not measured"
