"""The rows that edgekd writes itself: by name, the package that generates them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from edgekd.errors import DataError
from edgekd.store import digest_file

_TEXT_AND_TARGET = {"mangaassist": ("text", "intent"), "mangasearch": ("text", "grades")}
"""Which columns of a package's table hold the text and the target."""

NAMES = tuple(_TEXT_AND_TARGET)


def generate_rows(name: str, options: dict[str, int]) -> list[dict[str, Any]]:
    """Generate the rows; options are sizes and the seed.

    Raises:
        DataError: if an option is unknown, or no table can have it.
    """
    text, target = _TEXT_AND_TARGET[name]
    try:
        table = import_module(f"edgekd.data.{name}").generate(**options)
    except (TypeError, ValueError) as error:
        raise DataError(f"data.options: {error}; see edgekd.data.{name}.plan.Sizes") from None
    rows: list[dict[str, Any]] = table.to_pylist()
    return [{**row, "text": row[text], "label": row[target]} for row in rows]


def digest_source(name: str) -> dict[str, str]:
    """Return the digest of every file that the rows come from.

    A package may draw on those before it, so theirs are among them.
    """
    found: dict[str, str] = {}
    for package in NAMES[: NAMES.index(name) + 1]:
        folder = Path(str(import_module(f"edgekd.data.{package}").__file__)).parent
        files = sorted(f for f in folder.rglob("*") if f.is_file() and "__pycache__" not in f.parts)
        prefix = "" if package == NAMES[0] else f"{package}/"
        found |= {f"{prefix}{f.relative_to(folder)}": digest_file(f) for f in files}
    return found
