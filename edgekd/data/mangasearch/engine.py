"""A plain search engine: BM25 over the words of texts."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

_WORD = re.compile(r"\d+|[^\W\d_]+")
_SATURATION, _LENGTH = (
    1.2,
    0.75,
)  # k1 and b of Robertson and Zaragoza, "The Probabilistic Relevance Framework"


def list_words(text: str) -> list[str]:
    """Split a text into its words, without case; digits stand apart from letters.

    >>> list_words("Tidecaller Academy, vol3")
    ['tidecaller', 'academy', 'vol', '3']
    """
    return _WORD.findall(text.casefold())


class Engine:
    """Scores texts by the words that they share with a query."""

    def __init__(self, texts: Sequence[str]) -> None:
        counts = [Counter(list_words(text)) for text in texts]
        mean = sum(sum(count.values()) for count in counts) / max(1, len(counts))
        found: dict[str, tuple[list[int], list[float]]] = {}
        for place, count in enumerate(counts):
            norm = _SATURATION * (1 - _LENGTH + _LENGTH * sum(count.values()) / mean)
            for word, times in count.items():
                places, weights = found.setdefault(word, ([], []))
                places.append(place)
                weights.append(times * (_SATURATION + 1) / (times + norm))
        self._count = len(texts)
        self._postings = {
            word: (np.array(places), self._rarity(len(places)) * np.array(weights))
            for word, (places, weights) in found.items()
        }

    def _rarity(self, count: int) -> float:
        return math.log(1 + (self._count - count + 0.5) / (count + 0.5))

    def score(self, words: Iterable[str]) -> npt.NDArray[np.float64]:
        """Return the score of every text, shape [text], rounded so that every machine has the same order."""
        scores = np.zeros(self._count)
        for word in words:
            if word in self._postings:
                places, weights = self._postings[word]
                scores[places] += weights
        return np.round(scores, 6)
