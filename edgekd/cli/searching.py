"""Print what a search for a student found."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from edgekd.cli.outcome import Outcome
from edgekd.cli.verbs import open_context, open_spoken

if TYPE_CHECKING:
    from edgekd.sizing.budget import Budget
    from edgekd.sizing.front import Front, Point


def search_student(
    path: Path, settings: tuple[str, ...], target: str, budget: Budget, models: tuple[str, ...]
) -> Outcome:
    """Search for the student to train; exit code 1 where nothing is recommended."""
    context = open_context(path, settings)
    from edgekd.pipeline.choosing import size_project

    with open_spoken(context) as spoken_context:
        front = size_project(spoken_context, target, budget, models)
    return describe_front(front, path)


def describe_front(front: Front, project: Path) -> Outcome:
    """List the front, the recommendation and its reasons; exit code 1 where nothing is recommended."""
    from edgekd.sizing.front_file import front_to_json

    lines = [_describe(point) for point in front.best("p95_ms")]
    document = front_to_json(front)
    lines += front.reasons
    lines += [f"a larger budget: {opening.words}" for opening in front.openings]
    if front.recommended is None:
        document["exit_code"] = 1
        return Outcome(tuple(lines), document, 1)
    student = front.recommended.shape.model.name
    own = f"--set 'students=[{student}]' --set 'targets=[{front.target}]'"
    command = f"edgekd run {shlex.quote(str(project))} {own}"
    document |= {"model_file": f"models/{student}.yaml", "command": command, "exit_code": 0}
    return Outcome((*lines, f"models/{student}.yaml holds it; train it to the end: {command}"), document)


def _describe(point: Point) -> str:
    cost, drop = point.cost, point.quality.drop
    how = "measured" if point.measured else "predicted"
    return (
        f"{point.shape.name}: p95 {cost.p95_ms.value:.3g} ms, memory {cost.peak_rss_mib.value:.3g} MiB, "
        f"size {cost.artifact_mib.value:.3g} MiB ({how}); drop {drop.value:.2f} points "
        f"({drop.low:.2f} to {drop.high:.2f})"
    )
