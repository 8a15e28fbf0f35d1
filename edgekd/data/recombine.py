"""New sentences out of those that are there: crossed where they share words, words changed in context."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence

_START, _END = "", ""  # no word is empty


class Recombination:
    """What the rows' sentences offer one another. A teacher must label what comes out.

    A splice goes over from one sentence to another at a pair of words that both hold, or at one word, so
    that it reads as said by someone. A replacement puts a word in the place of another that was seen
    between the same two neighbours. Made once for all rows; memory is a few hundred bytes a word.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._rows = [text.split() for text in texts]
        self._seen: dict[tuple[str, ...], list[tuple[int, int]]] = defaultdict(list)
        self._between: dict[tuple[str, str], list[str]] = defaultdict(list)
        for number, words in enumerate(self._rows):
            for place, word in enumerate(words):
                self._seen[(word,)].append((number, place))
                before, after = _neighbours(words, place)
                self._between[before, after].append(word)
                if after:
                    self._seen[word, after].append((number, place))

    def recombine(self, words: list[str], rng: random.Random) -> list[str]:
        """Splice, replace, or both."""
        kind = rng.random()
        if kind < 0.7:
            words = self.splice(words, rng)
        return self.replace(words, rng) if kind > 0.45 else words

    def splice(self, words: list[str], rng: random.Random) -> list[str]:
        """Go over to another sentence where it holds the same two words, else the same word."""
        for length in (2, 1):
            starts = list(range(len(words) - length + 1))
            rng.shuffle(starts)
            for start in starts:
                found = self._seen.get(tuple(words[start : start + length]), ())
                if len(found) > 1:
                    number, place = rng.choice(found)
                    return [*words[: start + length], *self._rows[number][place + length :]]
        return words

    def replace(self, words: list[str], rng: random.Random) -> list[str]:
        """Put another word between two neighbours that it was seen between; two in a long sentence."""
        words = list(words)
        places = list(range(len(words)))
        rng.shuffle(places)
        left = 1 + (len(words) > 6)
        for place in places:
            others = [
                word for word in self._between.get(_neighbours(words, place), ()) if word != words[place]
            ]
            if others and left:
                words[place] = rng.choice(others)
                left -= 1
        return words


def _neighbours(words: list[str], place: int) -> tuple[str, str]:
    before = words[place - 1] if place else _START
    return before, words[place + 1] if place + 1 < len(words) else _END
