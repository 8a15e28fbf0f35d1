"""The scores of a query's candidates: of pairs, by vectors of two towers, or by two models in turn.

How a model is run is the caller's: by an engine in this process (`rank_model.py`), or by a server.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .cascade import join_scores, keep_best
from .errors import ServingError
from .pairs import Read, open_pairs, open_towers

if TYPE_CHECKING:
    import numpy.typing as npt

    from .heads import Head

    Encode = Callable[[Sequence[list[int]]], npt.NDArray[np.float32]]
    """From the ids of runs to the outputs [run, output]; a run without any id is made with token 0."""

KEPT = 16_384
"""Vectors of candidates that a model of two towers keeps: 8 MiB with 128 numbers each, their texts apart."""


class Ranker:
    """Gives scores by a model that `encode` runs; with `before` its best `keep` candidates alone are read."""

    def __init__(
        self,
        path: Path,
        max_tokens: int,
        head: Head,
        encode: Encode,
        before: Ranker | None = None,
        keep: int = 0,
    ) -> None:
        self._read, self._encode = open_read(path, max_tokens, head), encode
        self._before, self._keep = before, keep
        self._folder, self._towers = path.parent, head.towers
        self._places: OrderedDict[str, int] = OrderedDict()
        self._vectors = np.empty((KEPT if head.towers else 0, head.towers), np.float32)

    def score(self, query: str, candidates: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return the scores [place] of a query's candidates.

        Raises:
            ServingError: a text is no Unicode text; or there are more candidates than vectors are kept.
        """
        if self._before is None or len(candidates) <= self._keep:
            return self._score(query, candidates)
        first = self._before.score(query, candidates)
        kept = keep_best(first, self._keep)
        return join_scores(first, kept, self._score(query, [candidates[place] for place in kept]))

    def _score(self, query: str, candidates: Sequence[str]) -> npt.NDArray[np.float32]:
        if self._towers:
            return self._look_up(query, candidates)
        scores: npt.NDArray[np.float32] = self._encode(self._read(query, candidates))[:, 0]
        return scores

    def _look_up(self, query: str, candidates: Sequence[str]) -> npt.NDArray[np.float32]:
        """Score candidates by their vectors, those that were met before by the ones that are kept."""
        places = self._places
        new = [text for text in dict.fromkeys(candidates) if text not in places]
        if len(candidates) > KEPT:
            raise ServingError(f"{self._folder}: {len(candidates)} candidates; at most {KEPT} in one request")
        for text in candidates:
            if text in places:
                places.move_to_end(text)
        first, *vectors = self._encode(self._read(query, new))
        for text, vector in zip(new, vectors, strict=True):
            place = places.popitem(last=False)[1] if len(places) == KEPT else len(places)
            self._vectors[place] = vector
            places[text] = place
        return multiply(self._vectors.take([places[text] for text in candidates], 0), first)


def open_read(path: Path, max_tokens: int, head: Head) -> Read:
    """Return a function from a query and candidates to the ids of each run: of pairs, or query, candidates.

    Raises:
        ServingError: as of `pairs.open_pairs`; or two towers have no separator.
    """
    if not head.towers:
        return open_pairs(path, max_tokens, head.cut)
    if head.separator is None:
        raise ServingError(f"{path.with_name('manifest.json')}: separator: expected int, got nothing")
    return open_towers(path, max_tokens, head.separator)


def multiply(rows: npt.NDArray[np.float32], vector: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the product of each row with the vector, [row].

    Not by `@`: a BLAS rounds the products of some rows otherwise than those of others, and equal candidates
    would not tie.
    """
    products: npt.NDArray[np.float32] = np.einsum("ij,j->i", rows, vector)
    return products
