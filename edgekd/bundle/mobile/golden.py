"""The golden file: texts and what the artifact answers, for a port to be held against.

Where the artifact has a decision bias, some of the texts are ones whose label it changes, so that a port
which forgets the bias fails.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from edgekd.bundle.changed import find_changed
from edgekd.bundle.mobile.cases import CASES
from edgekd.serving.wordpiece import is_unicode

if TYPE_CHECKING:
    from edgekd.serving.loader import Model

COUNT = 200
CHANGED = 20
"""How many texts are sought whose label the bias changes."""
HEAD = "text\tids\tlogits\tlabel\tprobability"


def choose_texts(texts: Sequence[str], tokens: Sequence[str], changed: Sequence[str] = ()) -> list[str]:
    """Choose 200 different texts: cases, `changed` ones, given ones evenly, then words of the vocabulary.

    The last are there where fewer texts are given; the same ones for the same vocabulary.
    """
    first = dict.fromkeys([*CASES, *changed])
    fitting = [text for text in dict.fromkeys(texts) if text not in first and is_unicode(text)]
    wanted = COUNT - len(first)
    step = max(len(fitting) / wanted, 1)
    chosen = [fitting[int(place * step)] for place in range(min(wanted, len(fitting)))]
    found = dict.fromkeys([*first, *chosen])
    made = make_texts(tokens)
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


def list_answers(model: Model, texts: Sequence[str]) -> Iterator[str]:
    """List the file's lines: the text as a JSON string in ASCII, ids, outputs, label, probability."""
    yield HEAD
    for text in texts:
        answer = model(text)
        ids = " ".join(map(str, model.tokenize(text)))
        outputs = " ".join(f"{value:.9g}" for value in model.outputs([text])[0].tolist())
        yield f"{json.dumps(text)}\t{ids}\t{outputs}\t{answer.label}\t{answer.probability:.9g}"
