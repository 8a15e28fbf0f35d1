"""Which words of a text nobody taught, and which of them are mere typing errors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgekd.curate.words import Words, split_words

_LEAST_LETTERS = 4
"""Shorter words have neighbours by chance."""


@dataclass(frozen=True)
class Novelty:
    """What is new in texts, [text] each.

    Attributes:
        misspelt: whether a text has a word that is one typing error away from a known one.
        new: whether it has a word that is unknown and near to none.
        words: the new words, with the number of texts that have each, the most frequent first.
    """

    misspelt: npt.NDArray[np.bool_]
    new: npt.NDArray[np.bool_]
    words: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Lexicon:
    """Known words, and each with one letter left out: two words at one edit share such a form.

    Source: symmetric delete spelling correction (Garbe, W. (2012), SymSpell); after Mor, M. and Fraenkel,
    A. S. (1982), A hash code method for detecting and correcting spelling errors, CACM 25, 935-938.
    """

    known: frozenset[str]
    shortened: frozenset[str]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Lexicon:
        """Collect the words of texts that were taught."""
        known = frozenset(split_words(list(texts)).known.to_pylist())
        long_words = (word for word in known if len(word) >= _LEAST_LETTERS)
        return cls(known, frozenset(form for word in long_words for form in _shorten(word)))

    def is_misspelt(self, word: str) -> bool:
        """Whether an unknown word is a known one with a letter missing, doubled, changed or swapped.

        >>> Lexicon.of(["where is my order"]).is_misspelt("ordder")
        True
        """
        if len(word) < _LEAST_LETTERS - 1 or not word.isalpha():
            return False
        forms = _shorten(word)
        return word in self.shortened or any(form in self.known or form in self.shortened for form in forms)

    def look(self, words: Words, most: int = 20) -> Novelty:
        """Say which texts have misspelt and which have new words; lists the `most` frequent new words.

        Numbers count as known: order numbers are always new.
        """
        names = words.known.to_pylist()
        kinds = np.zeros((2, len(names)))
        for place, word in enumerate(names):
            if word not in self.known and not any(letter.isdigit() for letter in word):
                kinds[0 if self.is_misspelt(word) else 1, place] = 1.0
        misspelt, new = (words.sums(kind) > 0 for kind in kinds)
        owner = np.repeat(np.arange(len(words)), np.diff(words.starts))
        fresh = kinds[1][words.codes] > 0
        pairs = np.unique(owner[fresh] * max(1, len(names)) + words.codes[fresh])
        counts = np.bincount(pairs % max(1, len(names)), minlength=len(names))
        best = np.argsort(-counts, kind="stable")[:most]
        return Novelty(misspelt, new, tuple((names[i], int(counts[i])) for i in best if counts[i]))


def _shorten(word: str) -> set[str]:
    return {word[:place] + word[place + 1 :] for place in range(len(word))}
