"""A request of several candidates as one string, and the examples that a model reads of it.

The parts, the query first, stand between ASCII unit separators (U+001F). A request of a task whose models
read one text is that text, so whoever hands requests on needs to know nothing of candidates.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import ServingError

if TYPE_CHECKING:
    import numpy.typing as npt

UNIT = "\x1f"


def clean(text: str) -> str:
    """Return a text that may become part of a request: a unit separator in it becomes a space."""
    return text.replace(UNIT, " ")


def join_request(query: str, candidates: Iterable[str]) -> str:
    """Return a query and its candidates as one request.

    >>> join_request("naruto", ["Naruto 1", "Bleach 1"]).split(UNIT)
    ['naruto', 'Naruto 1', 'Bleach 1']
    """
    return UNIT.join(map(clean, (query, *candidates)))


def split_request(request: str) -> tuple[str, list[str]]:
    """Return the query of a request and its candidates, none where it is one text."""
    query, *candidates = request.split(UNIT)
    return query, candidates


def list_examples(request: str) -> list[str]:
    """Return what a model reads of a request: each pair of query and candidate, or the one text.

    >>> list_examples("naruto")
    ['naruto']
    >>> [pair.split(UNIT) for pair in list_examples(join_request("naruto", ["Naruto 1", "Bleach 1"]))]
    [['naruto', 'Naruto 1'], ['naruto', 'Bleach 1']]
    """
    query, candidates = split_request(request)
    return [query + UNIT + candidate for candidate in candidates] or [query]


def describe_request(request: str) -> dict[str, Any]:
    """Return a request as the JSON object that asks for it.

    >>> describe_request("where is my order"), describe_request(join_request("naruto", ["Bleach 1"]))
    ({'text': 'where is my order'}, {'query': 'naruto', 'candidates': ['Bleach 1']})
    """
    query, candidates = split_request(request)
    return {"query": query, "candidates": candidates} if candidates else {"text": query}


def read_line(line: str) -> str:
    """Return the request that a line stands for: itself, or a JSON object with `query` and `candidates`.

    Raises:
        ServingError: it is neither.
    """
    if UNIT in line:
        return line
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        document = line
    return read_object(document)


def read_object(document: Any) -> str:
    """Return the request that an object with `query` and `candidates` stands for.

    Raises:
        ServingError: it is none.
    """
    known = document if isinstance(document, dict) else {}
    query, candidates = known.get("query"), known.get("candidates")
    if not isinstance(query, str) or not isinstance(candidates, list):
        raise ServingError(f'expected {{"query": "...", "candidates": ["...", ...]}}, got {document!r:.60}')
    wrong = [type(text).__name__ for text in candidates if not isinstance(text, str)]
    if wrong:
        raise ServingError(f"a candidate is a text, got {wrong[0]}")
    return join_request(query, candidates)


def join_outputs(parts: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    """Join outputs [row, place] of requests, padded with NaN to as many places as the longest has.

    >>> join_outputs([np.ones((1, 1), np.float32), np.zeros((1, 2), np.float32)]).tolist()
    [[1.0, nan], [0.0, 0.0]]
    """
    width = max((part.shape[1] for part in parts), default=0)
    rows = np.full((sum(map(len, parts)), width), np.nan, np.float32)
    start = 0
    for part in parts:
        rows[start : start + len(part), : part.shape[1]] = part
        start += len(part)
    return rows
