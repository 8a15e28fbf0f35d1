"""`edgekd plan freshness`: what a student that does not know new matter costs a day."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgekd.cli.outcome import Outcome
from edgekd.distill.logs.events import read_events
from edgekd.distill.logs.live_events import FreshnessSlice
from edgekd.errors import BadInputError
from edgekd.impact.traffic import extra_per_day


def plan_freshness(
    requests_per_day: float, slice_share: float, teacher_grounded: float, student_grounded: float
) -> Outcome:
    """Count the answers a day that the student gets wrong and the teacher would not, in one slice."""
    extra = extra_per_day(
        1 - teacher_grounded, 1 - student_grounded, requests_per_day, slice_share=slice_share
    )
    line = (
        f"{slice_share:.1%} of {requests_per_day:,.0f} a day: the student is right in "
        f"{student_grounded:.1%}, the teacher in {teacher_grounded:.1%}: {extra:+,.0f} bad answers a day"
    )
    return Outcome((line,), {"extra_bad_per_day": extra})


def plan_logged_freshness(path: Path, requests_per_day: float, slice_share: float | None) -> Outcome:
    """Do so for each `freshness_slice_eval` event of a log; `slice_share` is used where an event has none.

    Raises:
        BadInputError: the log has no such event, or nothing says how large a slice is.
    """
    events = [event for event in read_events(path) if isinstance(event, FreshnessSlice)]
    if not events:
        raise BadInputError(f"{path}: holds no event freshness_slice_eval; give a log that has one")
    lines, documents = [], []
    for event in events:
        share = event.share if event.share is not None else slice_share
        if share is None:
            raise BadInputError(
                f"{path}: slice {event.slice:.60} has no field 'share'; "
                "give --slice-share, its share of requests"
            )
        document: dict[str, Any] = event.model_dump(exclude_none=True, exclude={"version", "time"})
        words = [event.slice]
        if event.dataset_age_days_p50 is not None:
            words.append(f"training rows are {event.dataset_age_days_p50:g} days old (median)")
        if event.retrieval_miss_rate is not None:
            words.append(f"retrieval finds nothing for {event.retrieval_miss_rate:.1%}")
        lines.append("; ".join(words))
        if event.teacher_grounded_rate is not None and event.student_grounded_rate is not None:
            found = plan_freshness(
                requests_per_day, share, event.teacher_grounded_rate, event.student_grounded_rate
            )
            lines += [f"  {line}" for line in found.lines]
            document |= found.document
        documents.append(document)
    return Outcome(tuple(lines), {"slices": documents})
