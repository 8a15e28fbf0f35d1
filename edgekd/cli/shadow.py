"""`edgekd shadow`: logged requests, answered anew and compared."""

from __future__ import annotations

from pathlib import Path

import click

from edgekd.cli.options import set_option as _set
from edgekd.cli.outcome import Outcome, tells

_FILE = click.Path(path_type=Path)


@click.command()
@click.argument("log", type=_FILE)
@click.argument("project", type=_FILE, default="edgekd.yaml")
@_set
@click.option("--target", required=True, help="Whose promoted version is compared.")
@click.option("--out", type=_FILE, required=True, help="Write the answered rows there (JSON lines).")
@click.option("--candidate", type=_FILE, help="An artifact that is compared with what is promoted.")
@click.option("--most", type=click.IntRange(1), default=100_000, show_default=True, help="Requests at most.")
@tells
def shadow(
    log: Path,
    project: Path,
    settings: tuple[str, ...],
    target: str,
    out: Path,
    candidate: Path | None,
    most: int,
) -> Outcome:
    """Answer the requests of LOG anew: teacher, what is promoted, and the version before it.

    LOG is the audit/ folder of a service's log. Exit code 1 where traffic is not as the test rows were.
    """
    from edgekd.cli.comparing_traffic import answer_anew

    return answer_anew(project, settings, target, log, out, candidate, most)
