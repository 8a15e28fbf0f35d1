"""What `edgekd publish` calls."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from edgekd.cli.outcome import Outcome
from edgekd.cli.verbs import open_context

if TYPE_CHECKING:
    from edgekd.publish import Published


def publish_project(
    project: Path, settings: tuple[str, ...], targets: tuple[str, ...], uri: str | None, anyway: bool
) -> Outcome:
    """Publish what is promoted for each target of a project."""
    context = open_context(project, settings)
    from edgekd.pipeline.publishing import publish_promoted

    found = list(publish_promoted(context, targets, uri, anyway))
    lines = tuple(map(_tell, found))
    return Outcome(lines, [dataclasses.asdict(p) for p in found])


def _tell(entry: Published) -> str:
    if not entry.version:
        return f"{entry.alias}: nothing is promoted any more; the alias of {entry.model} is taken away"
    known = "" if entry.added else ", which was there"
    return f"{entry.alias}: version {entry.version}{known}  models:/{entry.model}@{entry.alias}"
