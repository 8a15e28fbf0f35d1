"""The run directory: what a run shows to people, linked from the stage cache."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import yaml

from edgekd.pipeline.context import Context
from edgekd.store import digest_file, write_atomic


def place_files(source: Path, folder: Path) -> None:
    """Make `folder` hold exactly the files of `source`, as links where the disk can, else copies."""
    wanted = {p.relative_to(source): p for p in sorted(source.rglob("*")) if p.is_file() and _is_shown(p)}
    if folder.exists():
        for path in sorted(folder.rglob("*"), reverse=True):
            inside = path.relative_to(folder)
            if path.is_file() and not (inside in wanted and path.samefile(wanted[inside])):
                path.unlink()
            elif path.is_dir() and not any(path.iterdir()):
                path.rmdir()
    for inside, path in wanted.items():
        place = folder / inside
        if place.exists():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, place)
        except OSError:
            shutil.copy2(path, place)


def sweep(folder: Path) -> None:
    """Remove what kills left half-written; call it where no other process writes into the run directory."""
    for left in folder.rglob(".*.tmp"):
        left.unlink()


def _is_shown(path: Path) -> bool:
    return path.name != "stage.json" and "__pycache__" not in path.parts


def write_config(context: Context) -> None:
    """Write config.resolved.yaml: the project with every default, its targets, its models, what was --set."""
    document: dict[str, Any] = {
        "settings": list(context.settings),
        "project": context.project.model_dump(mode="json"),
        "teacher": context.teacher.model_dump(mode="json"),
        "students": [model.model_dump(mode="json") for model in context.students],
        "targets": [target.model_dump(mode="json") for target in context.targets],
    }
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    write_atomic(context.run_folder / "config.resolved.yaml", text)


def write_record(path: Path, record: Any) -> None:
    """Write a verdict or another record as JSON."""
    write_atomic(path, json.dumps(record.to_json(), indent=1, sort_keys=True))


def digest_evidence(context: Context, folders: list[Path], files: list[Path]) -> dict[str, str]:
    """Digest evidence files, named relative to the run directory."""
    found = [*files, *(p for folder in folders for p in folder.rglob("*") if p.is_file())]
    return {str(path.relative_to(context.run_folder)): digest_file(path) for path in sorted(found)}
