"""Values of rows for the study of intervals: NDCG@10 of simple rankers on real queries, and made ones."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

Values = npt.NDArray[np.float64]
FOLDER = Path(__file__).parent.parent.parent / "shared" / "data" / "msrd_movies"
PLACES = 10
ROWS = 200_000  # of a made population
STEP = 50  # made values are in 1 / STEP
_K1, _B = 1.2, 0.75  # Robertson and Zaragoza (2009), The probabilistic relevance framework: BM25 and beyond
_AT_ONCE = 2000  # queries


def read_rankings() -> dict[str, Values]:
    """Return NDCG@10 per query of MSRD [query] of three rankers by bags of words.

    `bm25` reads title, overview and cast, `tfidf` title and overview, `title` the title alone by BM25.
    Rankers order the some 24 candidates that the data has for a query.
    """
    movies, queries = (list(_read(FOLDER / f"{name}.jsonl.gz")) for name in ("movies", "queries"))
    place = {movie["id"]: at for at, movie in enumerate(movies)}
    pairs = [[place[key] for key in (*query["rel"], *query["nonrel"])] for query in queries]
    grades = [np.repeat([1, 0], [len(query["rel"]), len(query["nonrel"])]) for query in queries]
    asked = [query["query"] for query in queries]
    titles = [movie["title"] for movie in movies]
    short = [f"{movie['title']} {movie['overview']}" for movie in movies]
    whole = [f"{text} {' '.join(movie['actors'])}" for text, movie in zip(short, movies, strict=True)]
    tables = {"bm25": bm25(whole, asked), "tfidf": tfidf(short, asked), "title": bm25(titles, asked)}
    return {name: _score(pairs, grades, *table) for name, table in tables.items()}


def make_differences(rng: np.random.Generator) -> dict[str, Values]:
    """Make populations of differences [row] between -1 and 1; positive is worse for the candidate."""
    chance, part = rng.random((2, ROWS))
    made = {
        "rare losses": np.where(chance < 0.02, 1.0, 0.0),
        "mixed": np.select([chance < 0.25, chance < 0.35], [part**2, -(part**2) / 2], 0.0),
        "partly lost": np.where(chance < 0.3, np.minimum(1.0, rng.exponential(0.3, ROWS)), 0.0),
    }
    return {name: (values * STEP).round() / STEP for name, values in made.items()}


def make_fresh(rng: np.random.Generator) -> dict[str, Values]:
    """Make the further populations of differences [row], on which nothing was chosen."""
    chance, part = rng.random((2, ROWS))
    noise = np.clip(rng.normal(0, 0.02, ROWS), -1, 1)
    made = {
        "few losses": np.where(chance < 0.1, 1.0, 0.0),
        "noise and rare losses": np.where(chance < 0.005, 1.0, noise),
        "lost and gained": np.select([chance < 0.04, chance < 0.07], [1.0, -1.0], 0.0),
        "half lost at once": np.where(chance < 0.05, 0.5, 0.0),
        "thirds": rng.choice([-0.34, 0, 0.34, 0.68, 1], ROWS, p=[0.05, 0.8, 0.08, 0.05, 0.02]),
        "small and skewed": np.minimum(1.0, rng.lognormal(-3, 1, ROWS)) - 0.05,
        "two humps": np.where(chance < 0.5, -0.3, 0.4) + (part - 0.5) / 10,
        "wide": 2 * rng.beta(0.5, 0.5, ROWS) - 1,
    }
    return {name: (values * STEP).round() / STEP for name, values in made.items()}


def make_values(rng: np.random.Generator) -> dict[str, Values]:
    """Make populations of values [row] between 0 and 1."""
    chance, part = rng.random((2, ROWS))
    made = {
        "right but for few": np.where(chance < 0.97, 1.0, part / 2),
        "mostly one place off": rng.choice([0, 0.63, 1], ROWS, p=[0.02, 0.9, 0.08]),
        "low and skewed": rng.beta(0.4, 3, ROWS),
    }
    return {name: (values * STEP).round() / STEP for name, values in made.items()}


def _read(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def bm25(texts: list[str], asked: list[str]) -> tuple[csr_matrix, csr_matrix]:
    """Return tables of texts and of queries [text, word] whose product is BM25's score."""
    words = CountVectorizer()
    counts = csr_matrix(words.fit_transform(texts), dtype=np.float64)
    length = np.asarray(counts.sum(1)).ravel()
    within = _K1 * (1 - _B + _B * length / length.mean())
    times = np.repeat(within, np.diff(counts.indptr))
    documents = np.bincount(counts.indices, minlength=counts.shape[1])
    rarity = np.log1p((len(texts) - documents + 0.5) / (documents + 0.5))
    counts.data = counts.data * (_K1 + 1) / (counts.data + times) * rarity[counts.indices]
    return counts, csr_matrix(words.transform(asked), dtype=np.float64)


def tfidf(texts: list[str], asked: list[str]) -> tuple[csr_matrix, csr_matrix]:
    """Return tables of texts and of queries [text, word] whose product is the cosine of their TF-IDF."""
    words = TfidfVectorizer(sublinear_tf=True)
    return csr_matrix(words.fit_transform(texts)), csr_matrix(words.transform(asked))


def _score(
    pairs: list[list[int]], grades: list[npt.NDArray[np.int64]], texts: csr_matrix, asked: csr_matrix
) -> Values:
    found = []
    for start in range(0, len(pairs), _AT_ONCE):
        scores = (asked[start : start + _AT_ONCE] @ texts.T).toarray()
        for row, candidates, grade in zip(
            scores, pairs[start : start + _AT_ONCE], grades[start : start + _AT_ONCE], strict=True
        ):
            found.append(_ndcg(grade, row[candidates]))
    return np.array(found)


def _ndcg(grades: npt.NDArray[np.int64], scores: Values) -> float:
    """Return NDCG@10 of one query, where candidates with equal scores share the mean gain of their places.

    Source: McSherry, F. and Najork, M. (2008), Computing information retrieval performance measures
    efficiently in the presence of tied scores, ECIR.
    """
    discounts = 1 / np.log2(np.arange(2, len(scores) + 2))
    discounts[PLACES:] = 0
    _, tie = np.unique(-scores, return_inverse=True)  # 0 for the highest score
    shared = np.bincount(tie, weights=grades) / np.bincount(tie)
    return float((shared[np.sort(tie)] * discounts).sum() / (np.sort(grades)[::-1] * discounts).sum())
