"""What the verbs of `edgekd review` say of what they found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgekd.curate.review.proposals import Proposal
from edgekd.curate.review.rater_drift import RaterDrift
from edgekd.distill.logs.live_events import ReviewHealth
from edgekd.stats.raters import RaterAgreement


def say_agreement(found: RaterAgreement) -> str:
    """Say an agreement with its interval."""
    rows = f"{found.units:,} rows, {found.ratings:,} judgments"
    if found.value is None:
        return f"not defined: all {rows} have one answer"
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f}; {rows})"


def say_drift(one: RaterDrift) -> str:
    """Say how often a rater was right before and since."""
    sides = " before, ".join(
        f"{right:,} of {rows:,} right" if rows else "nothing to compare"
        for rows, right in (one.before, one.since)
    )
    line = f"{'! ' if one.drifted else ''}{one.rater}: {sides} since"
    if one.fall is None:
        return line
    return f"{line}; fell by {100 * one.fall.estimate:.1f} points ({100 * one.fall.low:.1f} at least)"


def say_health(event: ReviewHealth) -> list[str]:
    """Say how review keeps up."""
    lines = [
        f"per week {event.weekly_incoming:,.0f} rows come in and {event.weekly_reviewed:,.0f} are reviewed; "
        f"{event.backlog:,.0f} wait"
    ]
    if event.inter_annotator_agreement is not None:
        name = event.agreement_metric or "inter-annotator agreement"
        lines.append(f"{name}: {event.inter_annotator_agreement:.3f}")
    days = {"were reviewed": event.median_review_delay_days, "still wait": event.median_waiting_days}
    lines += [
        f"median of {value:.1f} days for rows that {what}"
        for what, value in days.items()
        if value is not None
    ]
    if event.weekly_reviewed and event.weekly_incoming > event.weekly_reviewed:
        weeks = event.backlog / event.weekly_reviewed
        lines.append(f"the backlog grows; it alone is {weeks:.1f} weeks of work")
    return lines


def say_proposal(one: Proposal) -> str:
    """Say what a rule or a risky slice rests on."""
    of = f"{one.corrections:,} corrections, right for at least {one.least:.0%} of new rows like these"
    if one.kind == "rule":
        return f"rule: '{one.phrase}' is {one.label}: {of}"
    return f"risky: slice {one.slice} to the teacher: {one.corrections:,} of {one.rows:,} wrong"


def make_routing(found: Sequence[Proposal]) -> dict[str, Any]:
    """Return proposals as settings of routing."""
    rules = [{"phrase": one.phrase, "label": one.label} for one in found if one.kind == "rule"]
    risky = [one.slice for one in found if one.kind == "risky"]
    return {**({"rules": rules} if rules else {}), **({"risky": risky} if risky else {})}


def some(names: Sequence[str]) -> str:
    """Name the first five."""
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
