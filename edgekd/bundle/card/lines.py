"""Pieces of Markdown that the card's sections share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

ABSENT = "–"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table; a bar within a cell is escaped."""
    lines = (heads, ["---"] * len(heads), *rows)
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def bullets(items: Iterable[str]) -> str:
    """Write a list."""
    return "\n".join(f"- {item}" for item in items)


def percent(share: float) -> str:
    """Print a share.

    >>> percent(0.84)
    '84.0 %'
    """
    return f"{100 * share:.1f} %"
