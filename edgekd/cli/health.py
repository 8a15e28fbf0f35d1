"""`edgekd health`: is what is promoted still good enough, where, and what to do."""

from __future__ import annotations

from pathlib import Path

import click

from edgekd.cli.options import set_option as _set
from edgekd.cli.outcome import Outcome, tells

_FILE = click.Path(path_type=Path)


@click.command()
@click.argument("project", type=_FILE, default="edgekd.yaml")
@_set
@click.option("--logs", type=_FILE, help="The hot/ folder of a service's log.")
@click.option("--events", type=_FILE, multiple=True, help="A log of events, JSON lines; may be given again.")
@click.option("--days", type=click.IntRange(1, 366), default=7, show_default=True, help="Length of a period.")
@click.option("--target", help="Whose limit on p95 latencies are held against.")
@click.option("--out", type=_FILE, help="Write a page (.html) or figures for Prometheus (.prom).")
@tells
def health(
    project: Path,
    settings: tuple[str, ...],
    logs: Path | None,
    events: tuple[Path, ...],
    days: int,
    target: str | None,
    out: Path | None,
) -> Outcome:
    """Figures of traffic, quality, safety, data and training, by slice, against their targets.

    Exit code 1 where a figure of the minimum set is missing or misses its target, or an alert is raised.
    """
    from edgekd.cli.telling_health import tell_health

    return tell_health(project, settings, logs, events, days, target, out)
