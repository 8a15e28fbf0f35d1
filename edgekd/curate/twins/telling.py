"""Words that tell a row's target: a twin must keep them, or it may have another target."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from edgekd.data.normalise import normalise

_WORD = re.compile(r"[^\W_]+")
_LEAST, _LIFT = 3, 2.0
"""A word tells a group where three of its rows have it, and twice as often as all rows do."""


def words_of(text: str) -> list[str]:
    """Return the words of a text, normalised."""
    return _WORD.findall(normalise(text))


@dataclass(frozen=True)
class Telling:
    """Words that tell targets apart, by training rows and by what a row has beside its text."""

    words: frozenset[str]

    def any_in(self, words: Iterable[str]) -> bool:
        """Whether one of these words tells."""
        return any(word in self.words for part in words for word in words_of(part))

    def beside(self, parts: Iterable[str]) -> Telling:
        """Add the words of what the text is compared with, such as candidates."""
        return Telling(self.words.union(*(words_of(part) for part in parts)))


def find_telling(texts: Sequence[str], strata: Sequence[Hashable]) -> Telling:
    """Find words that are much more frequent in the rows of one stratum than in all rows.

    `strata` [row] are groups of targets, as classes. It errs to the safe side: a word that tells by chance
    only leaves a twin out.
    """
    everywhere: Counter[str] = Counter()
    within: dict[Hashable, Counter[str]] = {}
    sizes = Counter(strata)
    for text, stratum in zip(texts, strata, strict=True):
        found = set(words_of(text))
        everywhere.update(found)
        within.setdefault(stratum, Counter()).update(found)
    rows = len(texts)
    telling = {
        word
        for stratum, counts in within.items()
        for word, count in counts.items()
        if count >= _LEAST and count * rows >= _LIFT * everywhere[word] * sizes[stratum]
    }
    return Telling(frozenset(telling))
