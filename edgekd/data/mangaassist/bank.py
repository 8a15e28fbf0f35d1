"""The phrase banks: what customers say, by language, as kept in the text files of `bank/`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from edgekd.data.mangaassist.template import Template, parse_template

_FILES = {
    "en": (
        "en_faq",
        "en_recommendation",
        "en_orders",
        "en_returns",
        "en_ordinary",
        "en_critical",
        "en_disputes",
        "en_safety",
        "en_near",
        "en_wrap",
    ),
    "es": ("es", "es_ordinary", "es_critical", "es_near"),
    "de": ("de", "de_ordinary", "de_critical", "de_near"),
    "fr": ("fr", "fr_ordinary", "fr_critical", "fr_near"),
    "pt": ("pt", "pt_ordinary", "pt_critical", "pt_near"),
    "ja": ("ja", "ja_ordinary", "ja_critical", "ja_near"),
}

_MORE = {language: f"{language}_more" for language in _FILES}

LANGUAGES = tuple(_FILES)

_RESERVED, _USUAL = "~ ", "* "  # what a line of `bank/` may begin with
_USUAL_TIMES = 4

_PARTS = 3  # of three reserved phrasings, the first and the last are for the test split alone


@dataclass(frozen=True)
class Phrases:
    """Phrasings of one thing, usual ones repeated; `reserved` ones never occur in the train split.

    `more` are those of rows that are written to learn from, beside the common ones.
    """

    common: tuple[Template, ...]
    reserved: tuple[Template, ...]
    more: tuple[Template, ...] = ()

    def withheld(self, *, for_test: bool) -> tuple[Template, ...]:
        """Return the reserved phrasings of the test split, or those of every other split but train.

        The two sets share nothing, so that nothing is learned from or chosen on the test's wording.
        """
        return tuple(item for i, item in enumerate(self.reserved) if (i % _PARTS != 1) == for_test)


@dataclass(frozen=True)
class Bank:
    """One language's phrasings by section, and its slot values.

    Section "intent faq_shipping" words that intent. Section "near faq_shipping" words it with what
    sounds like a critical intent and is not.
    """

    language: str
    sections: dict[str, Phrases]
    slots: dict[str, tuple[str, ...]]

    def phrases(self, section: str) -> tuple[Template, ...]:
        """Return the unreserved phrasings of a section, none if the language has no such section."""
        found = self.sections.get(section)
        return found.common if found else ()


def read_sections(name: str) -> dict[str, list[str]]:
    """Read one file of `bank/`: the lines under each "== section" heading."""
    text = (files(__package__) / "bank" / f"{name}.txt").read_text(encoding="utf-8")
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("== "):
            lines = sections.setdefault(line[3:].strip(), [])
        elif line.strip() and not line.startswith("# "):
            lines.append(line.strip())
    return sections


@cache
def load_bank(language: str) -> Bank:
    """Load one language's bank; parsed once a process."""
    slots: dict[str, tuple[str, ...]] = {}
    together: dict[str, list[str]] = {}
    for name in _FILES[language]:
        for heading, lines in read_sections(name).items():
            if heading.startswith("slot ") and heading != "slot item":
                slots[heading[5:]] = tuple(lines)
            else:
                together.setdefault(heading, []).extend(lines)
    more = read_sections(_MORE[language]) if language in _MORE else {}
    sections = {heading: _parse(lines, more.get(heading, [])) for heading, lines in together.items()}
    return Bank(language, sections, slots)


def _parse(lines: list[str], more: list[str]) -> Phrases:
    return Phrases(
        common=tuple(
            parse_template(line.removeprefix(_USUAL))
            for line in lines
            if not line.startswith(_RESERVED)
            for _ in range(_USUAL_TIMES if line.startswith(_USUAL) else 1)
        ),
        reserved=tuple(
            parse_template(line.removeprefix(_RESERVED)) for line in lines if line.startswith(_RESERVED)
        ),
        more=tuple(map(parse_template, more)),
    )
