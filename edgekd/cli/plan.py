"""The verbs of `edgekd plan`: sums that need no project."""

from __future__ import annotations

from pathlib import Path

import click

from edgekd.cli.forms import form, takes
from edgekd.cli.outcome import Outcome, tells

_per_day = click.option("--per-day", type=float, required=True, help="Requests a day.")
_teacher = click.option(
    "--teacher", type=float, required=True, help="USD for a thousand requests to the teacher."
)
_student = click.option(
    "--student", type=float, required=True, help="USD for a thousand requests to the student."
)
_slice = click.option("--slice-share", type=float, default=1.0, help="Share of the requests in the slice.")


@click.group()
def plan() -> None:
    """What rates, prices and shares come to at your traffic."""


@plan.command()
@_per_day
@_teacher
@_student
@tells
def cost(per_day: float, teacher: float, student: float) -> Outcome:
    """Cost of teacher and student a day and a month, and the saving."""
    from edgekd.cli.planning import plan_cost

    return plan_cost(per_day, teacher, student)


@plan.command()
@click.argument("rate", type=float)
@_per_day
@click.option("--after", type=float, help="The rate after a change.")
@_slice
@click.option("--reviewed", type=int, help="Rows of a review that found this rate.")
@tells
def count(
    rate: float, per_day: float, after: float | None, slice_share: float, reviewed: int | None
) -> Outcome:
    """A RATE (a share, 0.015) as requests a day."""
    from edgekd.cli.planning import plan_count

    return plan_count(rate, per_day, after, slice_share, reviewed)


@plan.command()
@click.argument("before", type=float)
@click.argument("after", type=float)
@click.option("--loss", type=float, required=True, help="Share of the business lost for each 0.01.")
@tells
def quality(before: float, after: float, loss: float) -> Outcome:
    """What a fall of quality from BEFORE to AFTER costs the business."""
    from edgekd.cli.planning import plan_quality

    return plan_quality(before, after, loss)


@plan.command()
@click.option("--baseline", type=float, required=True, help="The rate today.")
@click.option("--degraded", type=float, required=True, help="The rate that is to be found.")
@_per_day
@click.option("--share", type=float, required=True, help="Share of the traffic for the candidate.")
@click.option("--alpha", type=float, default=0.05, show_default=True, help="Chance of a false alarm.")
@click.option("--power", type=float, default=0.8, show_default=True, help="Chance to find it.")
@_slice
@tells
def canary(
    baseline: float,
    degraded: float,
    per_day: float,
    share: float,
    alpha: float,
    power: float,
    slice_share: float,
) -> Outcome:
    """Rows and days of a canary."""
    from edgekd.cli.planning import plan_canary_rows

    return plan_canary_rows(baseline, degraded, per_day, share, alpha, power, slice_share)


@plan.command()
@click.option("--lost", type=float, help="Share that the teacher alone gets right.")
@click.option("--gained", type=float, help="Share that the student alone gets right.")
@click.option(
    "--spread",
    type=float,
    help="Where rows have values, as NDCG: standard deviation of what a row loses, a share.",
)
@click.option("--drop", type=float, default=0.0, help="With --spread: the mean of what a row loses, a share.")
@click.option("--margin", type=float, required=True, help="In points.")
@click.option("--power", type=float, default=0.9, show_default=True, help="Chance of a decision.")
@click.option(
    "--slices",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Whose claims of harm share 5 %.",
)
@tells
@takes(
    form("rows with --spread", "spread drop margin power", lambda given: given["spread"] is not None),
    form("rows with --lost and --gained", "lost gained margin power slices"),
)
def rows(
    lost: float | None,
    gained: float | None,
    spread: float | None,
    drop: float,
    margin: float,
    power: float,
    slices: int,
) -> Outcome:
    """Test rows of a slice that decide about its margin."""
    from edgekd.cli.planning import plan_rows, plan_values

    if spread is not None:
        return plan_values(spread, drop, margin, power)
    if lost is None or gained is None:
        raise click.UsageError("give --lost and --gained, or --spread where rows have values")
    return plan_rows(lost, gained, margin, power, slices)


@plan.command()
@_per_day
@_teacher
@_student
@click.option("--planned", type=float, required=True, help="Planned share that goes to the teacher.")
@click.option("--actual", type=float, help="Actual share. Exit code 1 where it eats the saving.")
@tells
def routing(per_day: float, teacher: float, student: float, planned: float, actual: float | None) -> Outcome:
    """Cost of a fallback rate, in both billings, against the plan."""
    from edgekd.cli.planning import plan_routing

    return plan_routing(per_day, teacher, student, planned, actual)


@plan.command()
@_per_day
@click.option("--slice-share", type=float, help="Share of the requests that the slice is, as of new titles.")
@click.option(
    "--teacher-grounded", type=float, help="Share of its answers there that are right: the teacher's."
)
@click.option("--student-grounded", type=float, help="The same of the student.")
@click.option(
    "--log", type=click.Path(path_type=Path), help="Read `freshness_slice_eval` events (JSON lines) instead."
)
@tells
@takes(
    form("events with --log", "log per_day slice_share", lambda given: given["log"] is not None),
    form(
        "rates with --teacher-grounded and --student-grounded",
        "per_day slice_share teacher_grounded student_grounded",
    ),
)
def freshness(
    per_day: float,
    slice_share: float | None,
    teacher_grounded: float | None,
    student_grounded: float | None,
    log: Path | None,
) -> Outcome:
    """What a student that lags behind its teacher on new matter costs a day."""
    from edgekd.cli.planning_freshness import plan_freshness, plan_logged_freshness

    if log is not None:
        return plan_logged_freshness(log, per_day, slice_share)
    if teacher_grounded is None or student_grounded is None or slice_share is None:
        raise click.UsageError("give --teacher-grounded, --student-grounded and --slice-share, or --log")
    return plan_freshness(per_day, slice_share, teacher_grounded, student_grounded)


@plan.command()
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--p95-ms", type=float, help="Latency limit.")
@click.option("--usd-per-1k", type=float, help="Cost limit for a thousand requests.")
@click.option("--quality", "least_quality", type=float, help="Least quality, a share.")
@click.option("--loss", type=float, help="Share of the business lost for each 0.01 of quality.")
@tells
def capacity(
    table: Path,
    p95_ms: float | None,
    usd_per_1k: float | None,
    least_quality: float | None,
    loss: float | None,
) -> Outcome:
    """Choose a student's size from a TABLE (CSV) of measured ones."""
    from edgekd.cli.planning import plan_capacity

    return plan_capacity(table, p95_ms, usd_per_1k, least_quality, loss)


@plan.command()
@click.option("--examples", type=float, required=True, help="Targets that a teacher writes in the time.")
@_per_day
@click.option(
    "--stage",
    "stages",
    multiple=True,
    required=True,
    metavar="NAME=FALSE,ERROR",
    help="Share of false targets, and the student's error rate with them; the first is before any filter.",
)
@tells
def contamination(examples: float, per_day: float, stages: tuple[str, ...]) -> Outcome:
    """False targets, and how many fewer wrong answers a day filters make."""
    from edgekd.cli.planning_data import plan_contamination

    return plan_contamination(examples, per_day, stages)


@plan.command()
@click.option("--teacher", type=float, required=True, help="The teacher's rate of errors of fact, a share.")
@click.option("--student", type=float, required=True, help="The student's.")
@click.option("--copied", type=float, help="Share of the student's errors that the teacher makes, too.")
@tells
def overlap(teacher: float, student: float, copied: float | None) -> Outcome:
    """How many of a student's errors can be its teacher's; exit code 1 where --copied cannot be."""
    from edgekd.cli.planning_data import plan_overlap

    return plan_overlap(teacher, student, copied)


@plan.command()
@click.option("--incoming", type=float, required=True, help="Rows a week that ask for review.")
@click.option("--reviewed", type=float, required=True, help="Rows a week that are reviewed.")
@click.option("--weeks", type=int, default=4, show_default=True, help="Weeks ahead.")
@click.option("--backlog", type=float, default=0.0, show_default=True, help="Rows that wait today.")
@tells
def review(incoming: float, reviewed: float, weeks: int, backlog: float) -> Outcome:
    """Backlog of review and its delay, week by week."""
    from edgekd.cli.planning_data import plan_review

    return plan_review(incoming, reviewed, weeks, backlog)


@plan.command()
@_per_day
@click.option("--usd-per-tb", type=float, required=True, help="USD to keep a TB for a month.")
@click.option("--compact-bytes", type=float, default=400, show_default=True, help="Of a row of figures.")
@click.option("--full-bytes", type=float, default=12_000, show_default=True, help="Of a row with its text.")
@click.option(
    "--forensic-bytes", type=float, default=12_000, show_default=True, help="Of one with all of it."
)
@click.option("--full-share", type=float, default=0.004, show_default=True, help="Share kept with its text.")
@click.option(
    "--forensic-share", type=float, default=0.001, show_default=True, help="Share kept with all of it."
)
@click.option(
    "--units",
    type=click.Choice(["bytes", "gib-as-gb"]),
    default="bytes",
    show_default=True,
    help="`gib-as-gb` adds up as sums on paper do that take GiB for GB.",
)
@tells
def logging(
    per_day: float,
    usd_per_tb: float,
    compact_bytes: float,
    full_bytes: float,
    forensic_bytes: float,
    full_share: float,
    forensic_share: float,
    units: str,
) -> Outcome:
    """How much a policy of logging writes, and what it costs to keep."""
    from edgekd.cli.planning_logs import plan_logging

    sizes, shares = (compact_bytes, full_bytes, forensic_bytes), (full_share, forensic_share)
    return plan_logging(per_day, sizes, shares, usd_per_tb, "bytes" if units == "bytes" else "gib-as-gb")
