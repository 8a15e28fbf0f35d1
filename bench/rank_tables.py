"""Real queries with graded candidates, and the scores that simple rankers give these: MSRD and Icecat."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from bounded_values import FOLDER, bm25, tfidf
from scipy.sparse import csr_matrix

from edgekd.evaluate.rank.values import tells_orders_apart

Table = npt.NDArray[np.float64]
MSRD, ICECAT = FOLDER, FOLDER.parent / "icecat_search"
_AT_ONCE = 2000  # queries


@dataclass(frozen=True)
class Ranked:
    """Queries of one data set that tell orders apart: grades [query, place], and each ranker's scores.

    Padding is -1 in grades and NaN in scores; grades of 0 and more, none is missing.
    """

    name: str
    truth: Table
    scores: Mapping[str, Table]


def read_msrd() -> Ranked:
    """Read the some 24 candidates of each of MSRD's queries; grades are 0 and 1."""
    movies, queries = (list(_read(MSRD / f"{name}.jsonl.gz")) for name in ("movies", "queries"))
    place = {movie["id"]: at for at, movie in enumerate(movies)}
    lists = [
        {place[key]: grade for grade, keys in ((1, query["rel"]), (0, query["nonrel"])) for key in keys}
        for query in queries
    ]
    texts = [f"{movie['title']} {movie['overview']} {' '.join(movie['actors'])}" for movie in movies]
    titles = [movie["title"] for movie in movies]
    return _rank("MSRD", lists, [query["query"] for query in queries], texts, titles)


def read_icecat() -> Ranked:
    """Read the judged candidates of Icecat's queries; grades are 0 to 3."""
    products, queries, judged = (
        list(_read(ICECAT / f"{name}.jsonl.gz")) for name in ("products", "queries", "judgments")
    )
    place = {product["id"]: at for at, product in enumerate(products)}
    lists: dict[str, dict[int, int]] = {query["query_id"]: {} for query in queries}
    for one in judged:
        lists[one["query_id"]][place[one["product_id"]]] = one["grade"]
    texts = [f"{product['title']} {product['description'] or ''}" for product in products]
    titles = [product["title"] for product in products]
    return _rank("Icecat", list(lists.values()), [query["query"] for query in queries], texts, titles)


def _read(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _rank(
    name: str, lists: Sequence[Mapping[int, int]], asked: list[str], texts: list[str], titles: list[str]
) -> Ranked:
    """Score every candidate by BM25, by TF-IDF, and by BM25 of titles; candidates stand in a drawn order."""
    rng = np.random.default_rng(0)
    shuffled = [[list(one)[at] for at in rng.permutation(len(one))] for one in lists]
    width = max(map(len, shuffled))
    at, truth = np.full((len(lists), width), -1), np.full((len(lists), width), -1.0)
    for row, (places, grades) in enumerate(zip(shuffled, lists, strict=True)):
        at[row, : len(places)] = places
        truth[row, : len(places)] = [grades[place] for place in places]
    kept = tells_orders_apart(truth)
    tables = {"BM25": bm25(texts, asked), "TF-IDF": tfidf(texts, asked), "titles": bm25(titles, asked)}
    scores = {ranker: _scores(at, *table)[kept] for ranker, table in tables.items()}
    return Ranked(name, truth[kept], scores)


def _scores(at: npt.NDArray[np.int64], texts: csr_matrix, asked: csr_matrix) -> Table:
    found = np.empty(at.shape)
    for start in range(0, len(at), _AT_ONCE):
        part = at[start : start + _AT_ONCE]
        whole = (asked[start : start + _AT_ONCE] @ texts.T).toarray()
        found[start : start + _AT_ONCE] = np.take_along_axis(whole, np.maximum(part, 0), axis=1)
    return np.where(at < 0, np.nan, found)
