"""The verb `edgekd refresh`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from edgekd.cli.options import project_argument as _project
from edgekd.cli.options import set_option as _set
from edgekd.cli.outcome import Outcome, tells


@click.command()
@_project
@_set
@click.option(
    "--logs",
    type=click.Path(path_type=Path),
    required=True,
    help="Rows of live traffic (.jsonl, .csv, .parquet): text and date, and what else is known of each.",
)
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    help="First day to watch, against the 28 days before; unless given, the last 90 days are watched.",
)
@click.option("--budget", type=click.IntRange(min=1), help="Choose so many of the rows to label.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Write the next project file, beside the present one."
)
@tells
def refresh(
    project: Path,
    settings: tuple[str, ...],
    logs: Path,
    since: datetime | None,
    budget: int | None,
    out: Path | None,
) -> Outcome:
    """Read logs: what has changed, how old the lesson is, what to label; and write the next project file.

    Exit code 1: something has changed by more than the margin.
    """
    from edgekd.cli.refreshing import refresh_project

    return refresh_project(project, settings, logs, None if since is None else since.date(), budget, out)
