"""The golden file: requests and what the artifact answers, for a port to be held against.

Where the artifact has a decision bias, some of the texts are ones whose label it changes, so that a port
which forgets the bias fails.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekd.bundle.changed import find_changed
from edgekd.bundle.mobile.cases import CASES
from edgekd.serving.heads import open_reader, read_head, takes_candidates
from edgekd.serving.request import join_request, split_request
from edgekd.serving.wordpiece import is_unicode

if TYPE_CHECKING:
    from edgekd.serving.loader import Model

COUNT = 200
CHANGED = 20
"""How many texts are sought whose label the bias changes."""
CANDIDATES = 8
"""At most so many of a request's candidates are in the file."""


def choose_texts(texts: Sequence[str], tokens: Sequence[str], changed: Sequence[str] = ()) -> list[str]:
    """Choose 200 different texts: cases, `changed` ones, given ones evenly, then words of the vocabulary.

    The last are there where fewer texts are given; the same ones for the same vocabulary.
    """
    return _choose([*CASES, *changed], texts, make_texts(tokens))


def choose_requests(requests: Sequence[str], tokens: Sequence[str]) -> list[str]:
    """Choose 200 different requests likewise, each with at most 8 candidates.

    A case is a query once, with the cases after it as candidates, the first of them twice: both must tie.
    Of the given ones those without candidates are left out, as they have no order.
    """
    around = [*CASES, *CASES]
    cases = [
        join_request(case, [*around[place + 1 : place + 4], around[place + 1]])
        for place, case in enumerate(CASES)
    ]
    split = [split_request(request) for request in requests]
    given = [join_request(query, candidates[:CANDIDATES]) for query, candidates in split if candidates]
    texts = make_texts(tokens)
    made = (join_request(text, [next(texts) for _ in range(3)]) for text in texts)
    return _choose(cases, given, made)


def _choose(first: Sequence[str], given: Sequence[str], made: Iterator[str]) -> list[str]:
    found = dict.fromkeys(first)
    fitting = [text for text in dict.fromkeys(given) if text not in found and is_unicode(text)]
    wanted = COUNT - len(found)
    step = max(len(fitting) / wanted, 1)
    found |= dict.fromkeys(fitting[int(place * step)] for place in range(min(wanted, len(fitting))))
    while len(found) < COUNT:
        found[next(made)] = None
    return list(found)


def choose_changed(model: Model, texts: Sequence[str], tokens: Sequence[str]) -> list[str]:
    """Choose up to 20 texts whose label the model's bias changes: given ones, then of the vocabulary."""
    given = [text for text in dict.fromkeys(texts) if text not in set(CASES) and is_unicode(text)]
    found = find_changed(model, given, CHANGED)
    return list(dict.fromkeys([*found, *find_changed(model, make_texts(tokens), CHANGED - len(found))]))


def make_texts(tokens: Sequence[str]) -> Iterator[str]:
    """Make texts without end of a vocabulary's words; always the same ones for the same vocabulary."""
    words = [token for token in tokens if token.isalpha()] or list(tokens)
    rng = random.Random(0)
    while True:
        yield " ".join(rng.choices(words, k=rng.randint(1, 12))) + rng.choice("?.! ")


def _label(answer: Any) -> tuple[str, str]:
    return answer.label, f"{answer.probability:.9g}"


def _score(answer: Any) -> tuple[str]:
    return (f"{answer.score:.9g}",)


def _order(answer: Any) -> tuple[str]:
    return (" ".join(map(str, answer.order)),)


_COLUMNS: Mapping[str, tuple[str, Callable[[Any], tuple[str, ...]]]] = {
    "classify": ("text\tids\tlogits\tlabel\tprobability", _label),
    "score": ("text\tids\tlogit\tscore", _score),
    "rank": ("request\tids\tscores\torder", _order),
}
HEADS = tuple(_COLUMNS)
"""The heads whose answers a port here makes."""


def list_answers(model: Model, requests: Sequence[str]) -> Iterator[str]:
    """List the file's lines: the request as a JSON string in ASCII, ids, outputs, and what is answered.

    Where several runs of the model answer a request, "|" stands between their ids.
    """
    head = read_head(model.manifest)
    names, describe = _COLUMNS[head.name]
    read = open_reader(model.folder / "tokenizer.json", model.manifest["max_tokens"], head)
    yield names
    for request in requests:
        ids = "|".join(" ".join(map(str, run)) for run in read(request))
        outputs = " ".join(f"{value:.9g}" for value in model.outputs([request])[0].tolist())
        yield "\t".join((json.dumps(request), ids, outputs, *describe(model(request))))


def choose_golden(
    model: Model, given: Sequence[str], tokens: Sequence[str], changed: Sequence[str]
) -> list[str]:
    """Choose 200 requests of the kind that the model's head takes."""
    if takes_candidates(read_head(model.manifest)):
        return choose_requests(given, tokens)
    return choose_texts(given, tokens, changed)


def find_range(model: Model, requests: Sequence[str]) -> float:
    """Return how far apart the highest and the lowest score of all candidates lie."""
    scores = np.concatenate([model.outputs([request])[0] for request in requests])
    return float(scores.max() - scores.min())
