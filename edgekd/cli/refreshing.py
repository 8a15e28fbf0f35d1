"""`edgekd refresh`: what logs say of drift, freshness and coverage, and the next project file."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekd.cli.outcome import Outcome
from edgekd.cli.verbs import open_context

if TYPE_CHECKING:
    from edgekd.curate.drift.watch import Change
    from edgekd.pipeline.refreshing import Look
    from edgekd.pipeline.renewing import Renewed


def refresh_project(
    path: Path,
    settings: tuple[str, ...],
    logs: Path,
    since: date | None,
    budget: int | None,
    out: Path | None,
) -> Outcome:
    """Look at logs, and write the next project file at `out`; exit code 1 where something drifts."""
    context = open_context(path, settings)
    from edgekd.pipeline.refreshing import due, look_at_logs, write_events
    from edgekd.pipeline.renewing import write_next

    look = look_at_logs(context, logs, since, budget)
    events = write_events(context, look)
    written = None if out is None else write_next(context, look, out)
    lines = [*_drift_lines(look), *_fresh_lines(look), *_coverage_lines(look), *_plan_lines(look, due(look))]
    if written is not None:
        lines += _written_lines(written)
    document: dict[str, Any] = {
        "today": look.today.isoformat(),
        "rows": len(look.traffic.rows),
        "alarms": [_change(change) for change in look.alarms],
        "seasons": [_change(change) for change in look.seasons],
        "not_watched": look.unwatched or None,
        "slices_left_out": dict(look.traffic.left_out),
        "new_words": [list(pair) for pair in look.traffic.novelty.words],
        "ages": {name: asdict(ages) for name, ages in look.ages.items()},
        "log": str(events),
        "events": [event.model_dump(mode="json", exclude_none=True) for event in look.freshness],
        "coverage": asdict(look.coverage),
        "plan": {
            "due": due(look).isoformat(),
            "interval_days": look.plan.interval_days,
            "growth_per_day": look.plan.growth_per_day,
            "renewals": [{**asdict(entry), "by": entry.by.isoformat()} for entry in look.plan.renewals],
        },
    }
    if look.sample is not None:
        reasons = list(look.sample.reasons)
        document["sample"] = {
            "rows": [int(place) + 1 for place in look.sample.rows],
            "reasons": reasons,
            "nothing_known_of": list(look.sample.missing),
        }
    if written is not None:
        document["next"] = {
            **asdict(written),
            "project": str(written.project),
            "rows": str(written.rows),
            "to_label": None if written.to_label is None else str(written.to_label),
        }
    code = int(bool(look.alarms))
    return Outcome(tuple(lines), {**document, "exit_code": code}, code)


def _change(change: Change) -> dict[str, Any]:
    document = asdict(change)
    stream = document.pop("stream")
    return {"signal": stream["signal"], "slice": stream["slice"], **document, "day": change.day.isoformat()}


def _drift_lines(look: Look) -> list[str]:
    lines = [f"{len(look.traffic.rows):,} logged rows up to {look.today}"]
    lines += [f"! not followed: {reason}" for reason in look.traffic.left_out.values()]
    if look.unwatched:
        return [*lines, f"! {look.unwatched}"]
    for change in look.alarms:
        year = "" if change.has_year else "; no rows of a year ago say whether this is a season"
        lines.append(
            f"drift since {change.day}: {change.stream}: {change.before:.1%} to {change.now:.1%}, "
            f"{100 * change.estimate:+.1f} points ({100 * change.low:+.1f} to {100 * change.high:+.1f}){year}"
        )
        if change.stream.signal == "new words":
            lines.append(
                "  new: " + ", ".join(f"{word} ({n})" for word, n in look.traffic.novelty.words[:10])
            )
    lines += [
        f"a season: {change.stream}: {change.before:.1%} to {change.now:.1%} on {change.day}, as a year ago"
        for change in look.seasons
    ]
    return lines if look.alarms else [*lines, "nothing has changed by more than the margin"]


def _fresh_lines(look: Look) -> list[str]:
    lines = []
    for event in look.freshness:
        words = [f"{event.share:.1%} of the requests"]
        if event.dataset_age_days_p50 is not None and event.dataset_age_days_p95 is not None:
            words.append(
                f"training rows are {event.dataset_age_days_p50:g} days old (median; 95 % at most "
                f"{event.dataset_age_days_p95:g})"
            )
        rates = {
            "student right": event.student_grounded_rate,
            "teacher right": event.teacher_grounded_rate,
            "retrieval finds nothing": event.retrieval_miss_rate,
        }
        words += [f"{name} {rate:.1%}" for name, rate in rates.items() if rate is not None]
        lines.append(f"{event.slice}: {'; '.join(words)}")
    return lines


def _coverage_lines(look: Look) -> list[str]:
    found = look.coverage
    lines = []
    if found.day_share is not None and found.rare_per_day is not None:
        lines.append(
            f"the test set is {found.day_share:.3%} of a day's requests; a rare failure comes "
            f"{found.rare_per_day:,.0f} times a day"
        )
    for part in found.parts:
        if part.missing:
            lines.append(
                f"the test set lacks {part.name}: {part.rows} rows, {part.missing} too few; "
                f"a rare failure is unseen there with a chance of {part.unseen:.0%}"
            )
    return lines


def _plan_lines(look: Look, due: date) -> list[str]:
    plan = look.plan
    lines = [
        f"next refresh by {due}: requests with new words grow by up to "
        f"{100 * plan.growth_per_day:.2f} points a day, so one every {plan.interval_days} days; "
        f"{plan.rows:,} rows to label"
    ]
    return lines + [
        f"  {entry.rows:,} rows of {entry.part} by {entry.by}: {entry.reason}" for entry in plan.renewals
    ]


def _written_lines(written: Renewed) -> list[str]:
    lines = [
        f"{written.project}: {written.added:,} labelled rows of the logs joined the training rows, "
        f"{written.left_out:,} old ones left"
    ]
    return (
        lines
        if written.to_label is None
        else [*lines, f"{written.to_label}: {written.chosen:,} rows to label"]
    )
