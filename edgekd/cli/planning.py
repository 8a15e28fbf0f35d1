"""`edgekd plan`: what rates, prices and shares come to; needs no project."""

from __future__ import annotations

import csv
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgekd.cli.outcome import Outcome
from edgekd.errors import BadInputError
from edgekd.gate.canary import plan_canary
from edgekd.impact.capacity import Size, choose_size
from edgekd.impact.fallback import BILLINGS, Prices, compare_fallback
from edgekd.impact.saving import DAYS, cost_reduction, save
from edgekd.impact.traffic import extra_per_day, per_day, relative_loss, sample_share
from edgekd.stats.bounded_power import suppose_differences, values_to_decide
from edgekd.stats.paired_power import rows_to_decide
from edgekd.stats.proportion import exact_upper_bound
from edgekd.words import name_figure

_SIZES = ("params_millions", "quality", "p95_ms", "usd_per_1k")


def plan_cost(requests_per_day: float, teacher_per_1k: float, student_per_1k: float) -> Outcome:
    """Cost of teacher and student a day, and what is saved."""
    saving = save(requests_per_day, teacher_per_1k, student_per_1k)
    document = {
        **asdict(saving),
        "daily_saving": saving.daily,
        "monthly_saving": saving.monthly,
        "reduction": cost_reduction(teacher_per_1k, student_per_1k),
    }
    lines = (
        f"teacher ${saving.teacher_daily:,.0f} a day, student ${saving.student_daily:,.0f}",
        f"saves ${saving.daily:,.0f} a day, ${saving.monthly:,.0f} in {DAYS} days ({saving.reduction:.1%})",
    )
    return Outcome(lines, document)


def plan_count(
    rate: float, requests_per_day: float, after: float | None, slice_share: float, reviewed: int | None
) -> Outcome:
    """A rate as a count a day, what a change of it makes, and what a review of so many rows would find."""
    before = per_day(rate, requests_per_day, slice_share=slice_share)
    document: dict[str, Any] = {"per_day": before, "slice_per_day": slice_share * requests_per_day}
    lines = [f"{rate:.2%} of {slice_share * requests_per_day:,.0f} a day: {before:,.0f}"]
    if after is not None:
        document["after_per_day"] = per_day(after, requests_per_day, slice_share=slice_share)
        document["extra_per_day"] = extra_per_day(rate, after, requests_per_day, slice_share=slice_share)
        lines.append(
            f"{after:.2%}: {document['after_per_day']:,.0f} a day, {document['extra_per_day']:+,.0f}"
        )
    if reviewed is not None:
        found = round(rate * reviewed)
        document |= {
            "expected_in_review": rate * reviewed,
            "upper_bound_after_review": exact_upper_bound(found, reviewed),
            "review_share_of_day": sample_share(reviewed, requests_per_day),
        }
        lines.append(
            f"a review of {reviewed:,} ({document['review_share_of_day']:.3%} of a day) would find {found:,} "
            f"and bound the rate at {document['upper_bound_after_review']:.2%} (95 %)"
        )
    return Outcome(tuple(lines), document)


def plan_quality(quality_from: float, quality_to: float, loss_per_point: float) -> Outcome:
    """What a fall of quality costs the business, if each point costs so much."""
    loss = relative_loss(quality_from, quality_to, loss_per_point)
    line = f"from {quality_from:g} to {quality_to:g}: {loss:.2%} lost, at {loss_per_point:.2%} for each 0.01"
    return Outcome((line,), {"relative_loss": loss})


def plan_canary_rows(
    baseline: float,
    degraded: float,
    requests_per_day: float,
    share: float,
    alpha: float,
    power: float,
    slice_share: float,
) -> Outcome:
    """Rows and days of a canary, looked at once or all the time."""
    plan = plan_canary(
        baseline, degraded, requests_per_day, share, alpha=alpha, power=power, slice_share=slice_share
    )
    ways = {
        "equal arms": plan.rows_equal,
        f"{share:.0%} against {1 - share:.0%}": plan.rows,
        "looked at all the time": plan.rows_watched,
    }
    lines = [
        f"{name:<24} {rows:>11,} rows of the candidate, {plan.days(rows):.3g} days"
        for name, rows in ways.items()
    ]
    lines.append(
        f"for a change of {baseline:.2%} to {degraded:.2%}, two-sided at {alpha:g}; "
        f"looked at once at the end, found in {power:.0%} of cases"
    )
    document = {
        "samples_per_arm": plan.rows_equal,
        "samples_unequal": plan.rows,
        "samples_watched": plan.rows_watched,
        "days": plan.days(plan.rows_equal),
        "days_unequal": plan.days(plan.rows),
        "days_watched": plan.days(plan.rows_watched),
    }
    return Outcome(tuple(lines), document)


def plan_rows(lost: float, gained: float, margin: float, power: float, slices: int) -> Outcome:
    """Rows of one slice that decide about its margin."""
    drop = lost - gained
    proves = drop < margin / 100
    confidence = 0.95 if proves else 1 - 0.05 / slices
    rows = rows_to_decide(lost, gained, margin / 100, confidence=confidence, power=power)
    what = "proves that it is within" if proves else "catches the harm beyond"
    line = (
        f"a drop of {100 * drop:+.2f} points ({lost:.2%} lost, {gained:.2%} gained): {rows:,} rows {what} "
        f"{margin:g} points in at least {power:.0%} of cases, at {100 * confidence:.4g} %"
    )
    return Outcome((line,), {"rows": rows, "drop": drop, "confidence": confidence, "power": power})


def plan_values(spread: float, drop: float, margin: float, power: float) -> Outcome:
    """Rows of one slice that prove its margin, where each has a value from 0 to 1."""
    rows = values_to_decide(suppose_differences(spread, drop), margin / 100, power=power)
    line = (
        f"a mean drop of {100 * drop:+.2f} points (standard deviation of the rows' {100 * spread:.4g}): "
        f"{rows:,} rows prove that it is within {margin:g} points in at least {power:.0%} of cases, at 95 %"
    )
    return Outcome((line,), {"rows": rows, "drop": drop, "confidence": 0.95, "power": power})


def plan_routing(
    requests_per_day: float,
    teacher_per_1k: float,
    student_per_1k: float,
    planned: float,
    actual: float | None,
) -> Outcome:
    """Cost of a fallback rate in both billings, against the plan; exit code 1 where the plan is lost."""
    lines, document, alerts = [], {}, 0
    for billing in BILLINGS:
        routed = Prices(teacher_per_1k, student_per_1k, billing)
        found: dict[str, Any] = {
            "planned_daily": routed.daily(planned, requests_per_day),
            "break_even_fallback": routed.break_even,
        }
        line = f"{billing:<9} planned {planned:.1%}: ${found['planned_daily']:,.0f} a day"
        if actual is not None:
            drift = compare_fallback(routed, planned, actual, requests_per_day)
            found |= asdict(drift)
            line += f"; actual {actual:.1%}: ${drift.actual_daily:,.0f}, {drift.times:.2f} times"
        lines.append(line)
        if found.get("alert"):
            lines.append(f"alert: {billing}: {found['alert']}")
            alerts += 1
        document[billing] = found
    return Outcome(tuple(lines), document, int(alerts > 0))


def plan_capacity(
    table: Path,
    p95_ms: float | None,
    usd_per_1k: float | None,
    least_quality: float | None,
    loss: float | None,
) -> Outcome:
    """Choose a size of student from a table of measured ones; exit code 1 where none fits.

    `loss` is the share of the business lost for each 0.01 of quality below the best size's.
    """
    sizes, metric = _read_sizes(table)
    found = choose_size(sizes, p95_ms=p95_ms, usd_per_1k=usd_per_1k, least_quality=least_quality)
    best = max(sizes, key=lambda size: size.quality)
    lines = [
        f"{'>' if size == found.choice else ' '} {size.params_millions:g}M  {metric} {size.quality:g} "
        f"({size.quality - best.quality:+.3g})  p95 {size.p95_ms:g} ms  ${size.usd_per_1k:g} for a thousand"
        + ("" if loss is None else f"  {relative_loss(best.quality, size.quality, loss):.2%} lost")
        + ("" if size in found.fitting else "  outside the limits")
        for size in sizes
    ]
    document: dict[str, Any] = {
        "choice": asdict(found.choice) if found.choice else None,
        "fitting": [asdict(size) for size in found.fitting],
        "reason": found.reason,
    }
    if loss is not None:
        document["relative_losses"] = [relative_loss(best.quality, size.quality, loss) for size in sizes]
    return Outcome((*lines, found.reason), document, int(found.choice is None))


def _read_sizes(table: Path) -> tuple[list[Size], str]:
    """Read sizes, and the name of their quality: that of the one column that is nothing else."""
    try:
        with table.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        others = [name for name in (rows[0] if rows else {}) if name not in _SIZES]
        quality = others[0] if len(others) == 1 and "quality" not in rows[0] else "quality"
        columns = [quality if name == "quality" else name for name in _SIZES]
        return [Size(*(float(row[name]) for name in columns)) for row in rows], name_figure(quality)
    except KeyError as error:
        raise BadInputError(f"{table}: expected columns {', '.join(_SIZES)}; {error} is missing") from None
    except (OSError, ValueError, TypeError) as error:
        raise BadInputError(f"{table}: expected a CSV of {', '.join(_SIZES)}: {error}") from None
