"""What `edgekd publish` calls."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from edgekd.cli.outcome import Outcome
from edgekd.cli.verbs import open_context


def publish_project(
    project: Path, settings: tuple[str, ...], targets: tuple[str, ...], uri: str | None
) -> Outcome:
    """Publish what is promoted for each target of a project."""
    context = open_context(project, settings)
    from edgekd.pipeline.publishing import publish_promoted

    found = list(publish_promoted(context, targets, uri))
    lines = tuple(
        f"{p.alias}: version {p.version}{'' if p.added else ', which was there'}  models:/{p.model}@{p.alias}"
        for p in found
    )
    return Outcome(lines, [dataclasses.asdict(p) for p in found])
