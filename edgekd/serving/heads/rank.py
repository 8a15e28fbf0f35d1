"""An order of candidates for a query: by the score of each, best first, ties in the order that came in.

A request is a query with its candidates (`request.py`); an answer has a score for each and their order.
Scores are what the model puts out, of any size; only their order within a request means something, so nothing
is fitted. A model either reads each pair of query and candidate, or it is two towers: it makes a vector of
the query and one of each candidate, and the score is their product. Vectors of candidates are kept.

Each run holds one pair, without padding. Runs of several pairs were up to a tenth faster on ONNX Runtime
(bench/rank_latency.py), but where activations are quantized as they come, their scale is then chosen over all
pairs of a run. Alone, a candidate's score depends on the query and on itself, and on no other candidate.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..cascade import join_scores, keep_best
from ..errors import ServingError
from ..loader import Model as OneText
from ..manifest import read_manifest
from ..pairs import open_pairs, open_towers
from ..request import UNIT, join_outputs, join_request, split_request
from . import Head, read_head, refuse_policy, require_unfitted

if TYPE_CHECKING:
    import numpy.typing as npt

    from ..stages import Stages

NEEDS = ("request", "pairs", "cascade")
FIRST = "first"
"""Folder of the model that orders all candidates where an artifact has two, and the manifest's key for it."""
UNCALIBRATED: Mapping[str, Any] = {"routing": {}}
TOLERANCE = 0.01
"""Candidates whose scores lie no further apart than this share of a request's range are as good as equal."""
KEPT = 16_384
"""Vectors of candidates that a model of two towers keeps: 8 MiB with 128 numbers each, their texts apart."""


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


class Model(OneText):
    """An open artifact that ranks: `model.rank(query, candidates)`, or `model(request)` in one string."""

    _FIRST = f"a{UNIT}a"
    _IS_ONE_RUN = False
    _read: Callable[[str, Sequence[str]], list[list[int]]]

    def __init__(self, folder: Path, manifest: dict[str, Any], threads: int, stages: Stages) -> None:
        self._keep: int = manifest.get(FIRST, {}).get("keep", 0)
        self._before: Model | None = None
        if self._keep:
            inside = folder / FIRST
            self._before = Model(inside, read_manifest(inside, verify=False), threads, stages)
        super().__init__(folder, manifest, threads, stages)

    def _open_tokenizer(self, path: Path, max_tokens: int) -> None:
        head = read_head(self.manifest)
        self._towers = head.towers
        self._read = _open(path, max_tokens, head)
        self._places: OrderedDict[str, int] = OrderedDict()
        self._vectors = np.empty((KEPT if head.towers else 0, head.towers), np.float32)

    def rank(self, query: str, candidates: Sequence[str]) -> Ranking:
        """Order the candidates for a query, best first.

        Raises:
            ServingError: if the model gives no usable outputs, or a text is no Unicode text.
        """
        wrong = [text for text in (query, *candidates) if not isinstance(text, str)]
        if wrong or isinstance(candidates, str):
            raise ServingError(f"expected a query and a list of texts, got {(*wrong, candidates)[0]!r:.60}")
        ranking: Ranking = self(join_request(query, candidates))
        return ranking

    def parse(self, line: str) -> str:
        """Return the request in one string; `line` is it, or a JSON object with `query` and `candidates`."""
        if UNIT in line:
            return line
        try:
            document = json.loads(line)
        except (ValueError, RecursionError):
            document = line
        return self.read_object(document)

    def read_object(self, document: Any) -> str:
        """Return the request that an object with `query` and `candidates` stands for.

        Raises:
            ServingError: it is none.
        """
        known = document if isinstance(document, dict) else {}
        query, candidates = known.get("query"), known.get("candidates")
        if not isinstance(query, str) or not isinstance(candidates, list):
            raise ServingError(
                f'expected {{"query": "...", "candidates": ["...", ...]}}, got {document!r:.60}'
            )
        wrong = next((text for text in candidates if not isinstance(text, str)), None)
        if wrong is not None:
            raise ServingError(f"a candidate is a text, got {type(wrong).__name__}")
        return join_request(query, candidates)

    def describe(self, text: str, said: Any) -> dict[str, Any]:
        """Return the query with the order and the scores of its candidates."""
        return {"query": split_request(text)[0], **self.head.describe(said)}

    def outputs(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return the scores [request, place] of requests, NaN past a request's last candidate."""
        rows = [self._run(text) for text in texts]
        for row, text in zip(rows, texts, strict=True):
            if not np.isfinite(row).all():
                raise self._not_finite(text)
        return join_outputs([row[None] for row in rows])

    def _run(self, text: str) -> npt.NDArray[np.float32]:
        query, candidates = split_request(text)
        if self._before is None or len(candidates) <= self._keep:
            return self._score(query, candidates)
        first = self._before._score(query, candidates)
        kept = keep_best(first, self._keep)
        return join_scores(first, kept, self._score(query, [candidates[place] for place in kept]))

    def _score(self, query: str, candidates: Sequence[str]) -> npt.NDArray[np.float32]:
        if self._towers:
            return self._look_up(query, candidates)
        runs = self._read(query, candidates)
        scores = np.empty(len(runs), np.float32)
        # Shortest first: an engine that prepares itself for each length then does so once for each.
        for place in sorted(range(len(runs)), key=lambda place: len(runs[place])):
            scores[place] = self._encode(runs[place])[0]
        return scores

    def _look_up(self, query: str, candidates: Sequence[str]) -> npt.NDArray[np.float32]:
        """Score candidates by their vectors, those that were met before by the ones that are kept."""
        places = self._places
        new = [text for text in dict.fromkeys(candidates) if text not in places]
        if len(candidates) > KEPT:
            raise ServingError(f"{self.folder}: {len(candidates)} candidates; at most {KEPT} in one request")
        for text in candidates:
            if text in places:
                places.move_to_end(text)
        first, *vectors = map(self._encode, self._read(query, new))
        for text, vector in zip(new, vectors, strict=True):
            place = places.popitem(last=False)[1] if len(places) == KEPT else len(places)
            self._vectors[place] = vector
            places[text] = place
        return _multiply(self._vectors.take([places[text] for text in candidates], 0), first)

    def _encode(self, ids: list[int]) -> npt.NDArray[np.float32]:
        outputs = self.run(ids or self._token_if_empty)
        if outputs.shape != self._shape:
            raise ServingError(
                f"{self.folder}: the model gave outputs of shape {outputs.shape}, expected {self._shape}"
            )
        return outputs


def _open(path: Path, max_tokens: int, head: Head) -> Callable[[str, Sequence[str]], list[list[int]]]:
    if not head.towers:
        return open_pairs(path, max_tokens)
    if head.separator is None:
        raise ServingError(f"{path.with_name('manifest.json')}: separator: expected int, got nothing")
    return open_towers(path, max_tokens, head.separator)


def open_reader(path: Path, max_tokens: int, head: Head) -> Callable[[str], list[list[int]]]:
    """Return a function from a request to the ids of each run: of each pair, or of query and candidates."""
    read = _open(path, max_tokens, head)
    return lambda request: read(*split_request(request))


def fold(outputs: npt.NDArray[np.float32], head: Head) -> npt.NDArray[np.float32]:
    """Return the scores [place] of a request's candidates by the outputs [run, output] of its runs."""
    return _multiply(outputs[1:], outputs[0]) if head.towers else outputs[:, 0]


def _multiply(rows: npt.NDArray[np.float32], vector: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the product of each row with the vector, [row].

    Not by `@`: a BLAS rounds the products of some rows otherwise than those of others, and equal candidates
    would not tie.
    """
    products: npt.NDArray[np.float32] = np.einsum("ij,j->i", rows, vector)
    return products


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
