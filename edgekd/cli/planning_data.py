"""`edgekd plan`: what false targets and review come to."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from edgekd.cli.claiming import find_impossible
from edgekd.cli.outcome import Outcome
from edgekd.curate.claims.figures import most_overlap
from edgekd.curate.review.backlog import capacity_to_clear, forecast_backlog
from edgekd.distill.logs.live_events import FactSlice
from edgekd.errors import BadInputError
from edgekd.impact.contamination import Stage, count_stages


def plan_contamination(examples: float, requests_per_day: float, stages: tuple[str, ...]) -> Outcome:
    """False targets after each filter, and how many fewer wrong answers a day."""
    read = tuple(_read_stage(stage) for stage in stages)
    found = count_stages(read, examples, requests_per_day)
    lines = [
        f"{stage.name}: {stage.contamination:.3%} of {examples:,.0f} targets are false: "
        f"{count.wrong_targets:,.0f}; student wrong {stage.student_error:.2%}, "
        f"{count.fewer_per_day:,.0f} fewer a day than {read[0].name}"
        for stage, count in zip(read, found, strict=True)
    ]
    document = [
        {**asdict(stage), "wrong_targets": count.wrong_targets, "fewer_per_day": count.fewer_per_day}
        for stage, count in zip(read, found, strict=True)
    ]
    return Outcome(tuple(lines), {"stages": document})


def plan_overlap(teacher: float, student: float, copied: float | None) -> Outcome:
    """The most that a student can have copied, at these error rates over the same rows."""
    most = most_overlap(teacher, student)
    document: dict[str, Any] = {"most_overlap": most, "copied": copied, "possible": True}
    lines = [f"at most {most:.1%} of the student's errors can be the teacher's, over the same rows"]
    if copied is None:
        return Outcome(tuple(lines), document)
    if not 0 <= copied <= 1:
        raise BadInputError(f"--copied: expected a share from 0 to 1, got {copied:g}")
    event = FactSlice(
        slice="overall",
        teacher_fact_error_rate=teacher,
        student_fact_error_rate=student,
        copied_teacher_error_overlap=copied,
    )
    problem = find_impossible(event)
    document |= {"possible": problem is None, "copied_errors_rate": copied * student}
    lines.append(problem or f"{copied * student:.3%} of rows have an error that was copied")
    return Outcome(tuple(lines), document, int(problem is not None))


def plan_review(incoming: float, reviewed: float, weeks: int, backlog: float) -> Outcome:
    """What waits for review week by week."""
    found = forecast_backlog(incoming, reviewed, weeks, backlog)
    needed = capacity_to_clear(incoming, backlog, weeks)
    lines = [
        f"week {week.week}: {week.backlog:,.0f} rows wait"
        + ("" if week.delay_days is None else f", {week.delay_days:,.0f} days in the order they came")
        for week in found
    ]
    lines.append(f"{needed:,.0f} a week would leave none after {weeks} weeks")
    document = {"weeks": [asdict(week) for week in found], "weekly_to_clear": needed}
    return Outcome(tuple(lines), document)


def _read_stage(text: str) -> Stage:
    name, equals, rates = text.partition("=")
    parts = rates.split(",")
    try:
        if not (name and equals and len(parts) == 2):
            raise ValueError
        return Stage(name, float(parts[0]), float(parts[1]))
    except ValueError:
        raise BadInputError(f"--stage {text:.60}: expected NAME=FALSE,ERROR, as before=0.002,0.011") from None
