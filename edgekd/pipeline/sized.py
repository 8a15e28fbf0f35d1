"""Where the answers of sizings lie, for whoever shows them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from edgekd.errors import BadInputError
from edgekd.pipeline.context import Context
from edgekd.sizing.front import Front
from edgekd.sizing.front_file import load_front


def place_front(context: Context, target: str) -> Path:
    """Say where the last answer for a target of this project lies."""
    return context.workspace / "sizing" / context.project.name / f"{target}.json"


def find_fronts(context: Context, targets: Iterable[str]) -> tuple[Front, ...]:
    """Read the last answers for these targets; one that cannot be read is noted and left out."""
    found = []
    for target in targets:
        path = place_front(context, target)
        if path.exists():
            try:
                found.append(load_front(path))
            except BadInputError as error:
                context.note(f"report: {error}")
    return tuple(found)
