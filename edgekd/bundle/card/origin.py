"""Where an artifact came from, and under which licences."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml


@dataclass(frozen=True)
class Origin:
    """What the project says of an artifact; empty where nothing is known.

    Attributes:
        teacher: its name.
        start: the weights that it started from, as the model file names them.
        data: the data's name.
        weights_licence: of those weights; a student that is cut from them holds parts of them.
        data_licence: of the rows that taught.
        judged: name of the data whose test rows judged; without the text that was only labelled.
    """

    project: str = ""
    teacher: str = ""
    start: str = ""
    data: str = ""
    weights_licence: str = ""
    data_licence: str = ""
    judged: str = ""


def read_licence(folder: Path) -> str:
    """Read the licence that a checkpoint's own README.md states in its head; empty if it states none."""
    try:
        head, _, rest = (folder / "README.md").read_text(encoding="utf-8").partition("---\n")
        front = yaml.safe_load(rest.partition("\n---")[0]) if not head.strip() else None
    except (OSError, ValueError, yaml.YAMLError):
        return ""
    found = front.get("license") if isinstance(front, dict) else None
    return found if isinstance(found, str) else ""
