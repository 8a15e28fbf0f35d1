"""What a verb ends with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """Lines for people, one JSON document for machines, and the exit code."""

    lines: tuple[str, ...]
    document: Any
    exit_code: int = 0
