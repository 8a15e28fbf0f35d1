"""The verb that says which students fit a budget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgekd.cli.forms import Given, form, takes
from edgekd.cli.options import set_option
from edgekd.cli.outcome import Outcome, tells

_LIMITS = "p95_ms peak_rss_mib artifact_mib cold_start_ms"


def _has_candidates(given: Given) -> bool:
    from edgekd.serving.heads import Head, takes_candidates
    from edgekd.tasks import load_task

    return takes_candidates(Head(load_task(given["task"]).head))


def _has_project(given: Given) -> bool:
    return given["project"] is not None


@click.command()
@click.argument("project", type=click.Path(path_type=Path), required=False)
@set_option
@click.option("--target", metavar="NAME", help="A file in targets/: the hardware that the budget is of.")
@click.option(
    "--texts",
    type=click.Path(path_type=Path),
    help="Texts like those that will be answered; without, built-in ones.",
)
@click.option("--task", metavar="NAME", default="intent", show_default=True, help="What students are for.")
@click.option(
    "--models",
    multiple=True,
    metavar="NAME",
    help="A file in models/ to choose from; all with ranges unless given.",
)
@click.option("--candidates", type=click.IntRange(min=1), help="How many each request has.")
@click.option("--p95-ms", type=float, help="Limit of the 95th percentile of a request's time.")
@click.option("--peak-rss-mib", type=float, help="Limit of the process's peak memory.")
@click.option("--artifact-mib", type=float, help="Limit of the artifact's size.")
@click.option("--cold-start-ms", type=float, help="Limit from process start to the first answer.")
@click.option("--max-drop", type=float, help="Points that the student may lose against its teacher.")
@tells
@takes(
    form("a project", f"project settings target models max_drop {_LIMITS}", _has_project),
    form("a task with candidates", f"target texts task models candidates {_LIMITS}", _has_candidates),
    form("a task without candidates", f"target texts task models {_LIMITS}"),
)
def size(**given: Any) -> Outcome:
    """Say which students fit a budget on a target, before any is trained; the first time takes minutes.

    With a project it also says which one to train: students are taught for a while, and the one that is
    recommended is measured and written to models/. Exit code 1: none fits, or none loses so little.
    """
    from edgekd.sizing.budget import LIMITED, Budget

    if given["target"] is None:
        raise click.UsageError("give --target: the hardware that the budget is of; see: edgekd show targets")
    limits = {name: given.pop(name) for name in LIMITED}
    project, settings, most = given.pop("project"), given.pop("settings"), given.pop("max_drop")
    if project is not None:
        from edgekd.cli.searching import search_student

        budget = Budget(**limits, max_drop=most)
        return search_student(project, settings, given["target"], budget, given["models"])
    from edgekd.cli.sizing import Question, answer_question

    return answer_question(Question(**given, budget=Budget(**limits)))
