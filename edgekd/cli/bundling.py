"""What `edgekd bundle` calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgekd.bundle import Bundle
from edgekd.cli.outcome import Outcome
from edgekd.cli.verbs import open_context
from edgekd.config import load_target
from edgekd.errors import BadInputError
from edgekd.units import format_bytes


def bundle_project(
    project: Path, settings: tuple[str, ...], targets: tuple[str, ...], out: Path | None
) -> Outcome:
    """Bundle what is promoted for each target of a project."""
    from edgekd.pipeline.bundling import bundle_promoted

    return _tell(list(bundle_promoted(open_context(project, settings), targets, out)))


def bundle_one(artifact: Path, targets: tuple[str, ...], texts: Path | None, out: Path | None) -> Outcome:
    """Bundle one artifact for one target."""
    from edgekd.pipeline.artifact_bench import read_texts
    from edgekd.pipeline.bundling import bundle_artifact

    if len(targets) != 1:
        raise BadInputError(f"{artifact}: name one target with --target; edgekd show targets lists them")
    given = list(read_texts(texts).texts) if texts is not None else []
    folder = out or Path("edgekd-bundle")
    return _tell([bundle_artifact(artifact, load_target(targets[0]), folder, given)])


def _tell(made: list[Bundle]) -> Outcome:
    lines = []
    document: list[dict[str, Any]] = []
    for bundle in made:
        size = sum(bundle.files.values())
        lines.append(f"{bundle.target}: {bundle.kind}  {format_bytes(size)}  {bundle.path}")
        document.append(
            {
                "target": bundle.target,
                "bundle": bundle.kind,
                "artifact": bundle.artifact_digest,
                "path": str(bundle.path),
                "digest": bundle.digest,
                "files": bundle.files,
            }
        )
    return Outcome(tuple(lines), document)
