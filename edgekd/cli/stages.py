"""Verbs that go along a project's road, as far as each says."""

from __future__ import annotations

from pathlib import Path

import click

from edgekd.cli.forms import form, takes
from edgekd.cli.options import project_argument as _project
from edgekd.cli.options import set_option as _set
from edgekd.cli.options import target_option as _target
from edgekd.cli.outcome import Outcome, tells


@click.command()
@_project
@_set
@_target
@click.option(
    "--plan", "is_plan", is_flag=True, help="Only list the steps: cached, to run, and decided later."
)
@tells
def run(project: Path, settings: tuple[str, ...], targets: tuple[str, ...], is_plan: bool) -> Outcome:
    """Do everything, from the teacher to promoted variants and the report."""
    from edgekd.cli.verbs import plan_steps, run_until

    if is_plan:
        return plan_steps(project, settings, targets)
    return run_until(project, settings, targets, "report")


@click.command()
@_project
@_set
@tells
def distill(project: Path, settings: tuple[str, ...]) -> Outcome:
    """Go on until every student is distilled, which is the same for all targets."""
    from edgekd.cli.verbs import run_until

    return run_until(project, settings, (), "distill")


@click.command()
@_project
@_set
@_target
@tells
def report(project: Path, settings: tuple[str, ...], targets: tuple[str, ...]) -> Outcome:
    """Write the report; what it needs and is not there is made first."""
    from edgekd.cli.verbs import run_until

    return run_until(project, settings, targets, "report")


@click.command()
@_project
@_set
@tells
def check(project: Path, settings: tuple[str, ...]) -> Outcome:
    """Say what the rows can prove, slice by slice, and what a run would train; trains nothing.

    Exit code 1: a slice with tier "prove" cannot be proven with these rows.
    """
    from edgekd.cli.checking import check_project

    return check_project(project, settings)


@click.command()
@_project
@_set
@_target
@click.option(
    "--shadow",
    type=click.Path(path_type=Path),
    help="Compare logged rows instead: student, incumbent and teacher on real traffic; needs one --target.",
)
@click.option(
    "--twins", is_flag=True, help="Compare answers to noisy twins of the test rows (key twins) instead."
)
@tells
@takes(
    form("logged rows", "project settings targets shadow", lambda given: given["shadow"] is not None),
    form("noisy twins", "project settings targets twins", lambda given: bool(given["twins"])),
    form("a project", "project settings targets"),
)
def evaluate(
    project: Path, settings: tuple[str, ...], targets: tuple[str, ...], shadow: Path | None, twins: bool
) -> Outcome:
    """Go on until every variant is judged on every slice."""
    from edgekd.cli.verbs import compare_traffic, run_until

    if twins:
        from edgekd.cli.curating import compare_twins

        return compare_twins(project, settings, targets)
    if shadow is None:
        return run_until(project, settings, targets, "evaluate")
    if len(targets) != 1:
        raise click.UsageError("--shadow needs one --target: whose promoted variant is compared")
    return compare_traffic(project, settings, targets[0], shadow)


@click.command()
@_project
@_set
@_target
@click.option(
    "--live",
    type=click.Path(path_type=Path),
    help="Judge counts of live traffic instead, and roll --target back where they show harm.",
)
@tells
def gate(project: Path, settings: tuple[str, ...], targets: tuple[str, ...], live: Path | None) -> Outcome:
    """Go on until every target has a verdict; promote nothing."""
    from edgekd.cli.promotions import judge_live
    from edgekd.cli.verbs import run_until

    if live is None:
        return run_until(project, settings, targets, "gate")
    if len(targets) != 1:
        raise click.UsageError("--live needs one --target: what is rolled back where it does harm")
    return judge_live(project, settings, targets[0], live)


@click.command()
@_project
@_set
@click.option(
    "--shard",
    metavar="I/N",
    help="Only this share of the texts, as 2/4: the second of four. Run the shares anywhere, at once or not; "
    "edgekd label without --shard finishes what is missing.",
)
@tells
def label(project: Path, settings: tuple[str, ...], shard: str | None) -> Outcome:
    """Train the teacher and label every text that students learn from, which are the same for all targets."""
    from edgekd.cli.verbs import label_share, run_until

    if shard is not None:
        return label_share(project, settings, shard)
    return run_until(project, settings, (), "label")
