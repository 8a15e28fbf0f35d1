"""Two forms of a text: one by which equal texts are told, and a looser one for nearly equal texts."""

from __future__ import annotations

import re
import unicodedata

_NUMBER = re.compile(r"\d+")
_BETWEEN_WORDS = re.compile(r"[\W_]+")


def normalise(text: str) -> str:
    """Return the form in which equal texts are equal: Unicode NFKC, without case, one space between words.

    Characters that nobody sees (soft hyphens, zero-width spaces) are left out.

    >>> normalise("  Where is MY order?")
    'where is my order?'
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
        text = "".join(letter for letter in text if unicodedata.category(letter) != "Cf")
        text = unicodedata.normalize("NFKC", text.casefold())
    return " ".join(text.casefold().split())


def loosen(normalised: str) -> str:
    """Return a normalised text without punctuation, in which every number is 0.

    >>> loosen("where's order 74188?")
    'where s order 0'
    """
    return _BETWEEN_WORDS.sub(" ", _NUMBER.sub("0", normalised)).strip()
