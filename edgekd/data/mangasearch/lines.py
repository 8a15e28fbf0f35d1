"""The text files of `bank/`: what the shop says of its books, and what customers type."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from edgekd.data.mangaassist.template import Template, parse_template

LANGUAGES = ("en", "es", "de", "fr", "pt", "ja")
"""In the order of the columns of `bank/names.txt`."""

_NEW = "~ "  # what a wording begins with that no training row has


@dataclass(frozen=True)
class Wording:
    """One way to word a search; `is_new` says that no training row is worded so."""

    template: Template
    is_new: bool


@cache
def read_lines(name: str) -> dict[str, tuple[str, ...]]:
    """Read one file of `bank/`: the lines under each "== section" heading, without comments."""
    text = (files(__package__) / "bank" / f"{name}.txt").read_text(encoding="utf-8")
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("== "):
            lines = sections.setdefault(line[3:].strip(), [])
        elif line.strip() and not line.startswith("# "):
            lines.append(line.strip())
    return {heading: tuple(lines) for heading, lines in sections.items()}


@cache
def read_wordings(language: str) -> dict[str, tuple[Wording, ...]]:
    """Read how a language words each kind of search, and its volumes and prices."""
    return {
        heading: tuple(
            Wording(parse_template(line.removeprefix(_NEW)), line.startswith(_NEW)) for line in lines
        )
        for heading, lines in read_lines(language).items()
    }


@cache
def read_names(section: str) -> dict[str, dict[str, str]]:
    """Read what each genre or format is called: by its English name, then by language."""
    table = [tuple(part.strip() for part in line.split("|")) for line in read_lines("names")[section]]
    return {names[0]: dict(zip(LANGUAGES, names, strict=True)) for names in table}
