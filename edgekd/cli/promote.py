"""`edgekd promote` and `edgekd rollback`: what a person says of what is promoted."""

from __future__ import annotations

from pathlib import Path

import click

from edgekd.cli.options import check_digest, project_argument, set_option, target_option
from edgekd.cli.outcome import Outcome, tells


@click.command()
@project_argument
@set_option
@target_option
@click.option("--again", is_flag=True, help="Your word: what was taken back may be promoted again.")
@click.option(
    "--expects",
    metavar="DIGEST",
    help="What must be promoted now for the one --target, by its first digits, or none; else it is refused.",
)
@tells
def promote(
    project: Path,
    settings: tuple[str, ...],
    targets: tuple[str, ...],
    again: bool,
    expects: str | None,
) -> Outcome:
    """Go on until each target's best passing variant is promoted."""
    from edgekd.cli.verbs import run_until

    if expects is not None and len(targets) != 1:
        raise click.UsageError("--expects needs one --target: whose promoted artifact is meant")
    return run_until(project, settings, targets, "promote", again, check_digest(expects, "none"))


@click.command()
@project_argument
@click.argument("target")
@set_option
@click.option(
    "--expects",
    metavar="DIGEST",
    help="What is to be taken back, by its first digits; refused where something else is promoted.",
)
@click.option(
    "--slice",
    "slices",
    multiple=True,
    metavar="NAME",
    help="Where it did harm; repeatable. Newer test rows there let a run promote it again; else of overall.",
)
@click.option("--reason", default="no reason was given", help="Words for the ledger.")
@tells
def rollback(
    project: Path,
    target: str,
    settings: tuple[str, ...],
    expects: str | None,
    slices: tuple[str, ...],
    reason: str,
) -> Outcome:
    """Take back what is promoted and put the version before in its place."""
    from edgekd.cli.promotions import roll_back

    return roll_back(project, settings, target, check_digest(expects), slices, reason)
