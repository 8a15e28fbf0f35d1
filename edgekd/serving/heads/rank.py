"""An order of candidates for a query: by the score of each, best first, ties in the order that came in.

A request is a query with its candidates (`request.py`); an answer has a score for each and their order.
Scores are what the model puts out, of any size; only their order within a request means something, so nothing
is fitted. A model either reads each pair of query and candidate, or it is two towers: it makes a vector of
the query and one of each candidate, and the score is their product (`ranker.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..ranker import multiply, open_read
from ..request import split_request
from . import Head, refuse_policy, require_unfitted

if TYPE_CHECKING:
    import numpy.typing as npt

NEEDS = ("request", "pairs", "cascade", "ranker")
MODEL = "rank_model"
FIRST = "first"
"""Folder of the model that orders all candidates where an artifact has two, and the manifest's key for it."""
UNCALIBRATED: Mapping[str, Any] = {"routing": {}}
TOLERANCE = 0.01
"""Candidates whose scores lie no further apart than this share of a request's range are as good as equal."""


class Ranking(NamedTuple):
    """The candidates' places in the request, best first, and the score of each in the request's order."""

    order: tuple[int, ...]
    scores: tuple[float, ...]


class Rank:
    """Orders candidates by their scores [place]."""

    calibration = None
    routes = False

    def answer(self, outputs: npt.NDArray[np.float32]) -> Ranking | None:
        """Return the order for a request with these scores [place]; None if one is not finite."""
        if not np.isfinite(outputs).all():
            return None
        order = np.argsort(-outputs, kind="stable")
        return Ranking(tuple(order.tolist()), tuple(outputs.tolist()))

    def route(self, text: str, outputs: npt.NDArray[np.float32], slices: Sequence[str]) -> None:
        """Return nothing: an order has no policy."""

    def describe(self, said: Ranking) -> dict[str, Any]:
        """Return order and scores by their names."""
        return {"order": list(said.order), "scores": list(said.scores)}

    def agree(self, one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
        """Say of each row whether two sets of scores [row, place], NaN past the last, have the same first.

        Another first is the same answer where both sets hold the two as good as equal.
        """
        return np.array([_is_same(*rows) for rows in zip(one, other, strict=True)], np.bool_)


def _is_same(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> bool:
    one, other = one[~np.isnan(one)], other[~np.isnan(other)]
    if len(one) != len(other):
        return False
    if not len(one):
        return True
    first, second = int(one.argmax()), int(other.argmax())
    return all(
        float(scores.max() - scores[place]) <= TOLERANCE * float(np.ptp(scores))
        for scores, place in ((one, second), (other, first))
    )


def open_reader(path: Path, max_tokens: int, head: Head) -> Callable[[str], list[list[int]]]:
    """Return a function from a request to the ids of each run: of each pair, or of query and candidates."""
    read = open_read(path, max_tokens, head)
    return lambda request: read(*split_request(request))


def fold(outputs: npt.NDArray[np.float32], head: Head) -> npt.NDArray[np.float32]:
    """Return the scores [place] of a request's candidates by the outputs [run, output] of its runs."""
    return multiply(outputs[1:], outputs[0]) if head.towers else outputs[:, 0]


def open_head(path: Path, labels: tuple[str, ...]) -> Rank:
    """Open the head, after making sure that `calibration.json` asks nothing of it that it cannot do.

    Raises:
        ServingError: there are labels, a temperature, a bias or a routing policy.
    """
    require_unfitted(path, labels, UNCALIBRATED, _CANNOT)
    return Rank()


_CANNOT = "an order of candidates has no labels: it takes no temperature, bias or routing policy"


def check_policy(policy: Mapping[str, Any], bias: Mapping[str, float], labels: tuple[str, ...]) -> None:
    """Refuse any routing policy and any bias.

    Raises:
        ServingError: there is one.
    """
    refuse_policy(policy, bias, _CANNOT)
