"""What `edgekd bundle` calls."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from edgekd.bundle import Bundle, read_bundle
from edgekd.cli.outcome import Outcome
from edgekd.cli.verbs import open_context
from edgekd.config import load_target
from edgekd.errors import BadInputError
from edgekd.progress import show_progress
from edgekd.units import format_bytes


def bundle_project(
    project: Path, settings: tuple[str, ...], targets: tuple[str, ...], out: Path | None, anyway: bool
) -> Outcome:
    """Bundle what is promoted for each target of a project."""
    from edgekd.pipeline.bundling import bundle_promoted

    return _tell(list(bundle_promoted(open_context(project, settings), targets, out, anyway)))


def bundle_one(artifact: Path, targets: tuple[str, ...], texts: Path | None, out: Path | None) -> Outcome:
    """Bundle one artifact for one target."""
    from edgekd.pipeline.bundling import bundle_artifact
    from edgekd.single.bench import read_texts

    if len(targets) != 1:
        raise BadInputError(f"{artifact}: name one target with --target; edgekd show targets lists them")
    given = list(read_texts(texts).texts) if texts is not None else []
    folder = out or Path("edgekd-bundle")
    return _tell([bundle_artifact(artifact, load_target(targets[0]), folder, given)])


def bench_bundle(path: Path, texts: Path | None, tiers_mib: tuple[int, ...]) -> Outcome:
    """Run a Lambda bundle under the platform's memory tiers."""
    from edgekd.impact.tiers import choose_tier
    from edgekd.report.tiers import tier_lines
    from edgekd.single.bench import read_texts
    from edgekd.single.lambda_tiers import TIERS_MIB, run_tiers

    listed = read_bundle(path)
    if listed["bundle"] != "lambda-zip":
        raise BadInputError(f"{path}: a bundle of kind {listed['bundle']}; only lambda-zip can be run here")
    target = load_target(listed["target"])
    given = list(read_texts(texts).texts) if texts is not None else ["where is my order"]
    with show_progress("bench") as progress:
        tiers = run_tiers(path, target, given, tiers_mib or TIERS_MIB, progress=progress)
    chosen = choose_tier(tiers, target)
    document = {
        "artifact": listed["artifact"],
        "target": target.name,
        "tiers": [dataclasses.asdict(tier) for tier in tiers],
        "chosen_mib": None if chosen is None else chosen.memory_mib,
    }
    return Outcome(tuple(tier_lines(tiers, chosen, target)), document, int(chosen is None))


def _tell(made: list[Bundle]) -> Outcome:
    lines = []
    document: list[dict[str, Any]] = []
    for bundle in made:
        size = sum(bundle.files.values())
        lines.append(f"{bundle.target}: {bundle.kind}  {format_bytes(size)}  {bundle.path}")
        lines += [f"{bundle.target}: {note}" for note in bundle.notes]
        document.append(
            {
                "target": bundle.target,
                "bundle": bundle.kind,
                "artifact": bundle.artifact_digest,
                "path": str(bundle.path),
                "digest": bundle.digest,
                "files": bundle.files,
                "notes": list(bundle.notes),
            }
        )
    return Outcome(tuple(lines), document)
