"""A request of several candidates as one string, and the examples that a model reads of it.

The parts, the query first, stand between ASCII unit separators (U+001F). A request of a task whose models read
one text is that text, so whoever hands requests on needs to know nothing of candidates.
"""

from __future__ import annotations

from collections.abc import Iterable

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
