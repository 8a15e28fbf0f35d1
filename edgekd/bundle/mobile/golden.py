"""The golden file: texts and what the artifact answers, for a port to be held against."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from edgekd.bundle.mobile.cases import CASES
from edgekd.serving.wordpiece import is_unicode

if TYPE_CHECKING:
    from edgekd.serving.loader import Model

COUNT = 200
HEAD = "text\tids\tlogits\tlabel\tprobability"


def choose_texts(texts: Sequence[str], tokens: Sequence[str]) -> list[str]:
    """Choose 200 different texts: the cases, then given ones evenly, then words of the vocabulary.

    The last are there where fewer texts are given; the same ones for the same vocabulary.
    """
    known = set(CASES)
    fitting = [text for text in dict.fromkeys(texts) if text not in known and is_unicode(text)]
    wanted = COUNT - len(CASES)
    step = max(len(fitting) / wanted, 1)
    chosen = [fitting[int(place * step)] for place in range(min(wanted, len(fitting)))]
    words = [token for token in tokens if token.isalpha()] or list(tokens)
    rng = random.Random(0)
    found = dict.fromkeys([*CASES, *chosen])
    while len(found) < COUNT:
        found[" ".join(rng.choices(words, k=rng.randint(1, 12))) + rng.choice("?.! ")] = None
    return list(found)


def list_answers(model: Model, texts: Sequence[str]) -> Iterator[str]:
    """List the file's lines: the text as a JSON string in ASCII, ids, logits, label, probability."""
    yield HEAD
    for text in texts:
        answer = model(text)
        ids = " ".join(map(str, model.tokenize(text)))
        logits = " ".join(f"{value:.9g}" for value in model.logits([text])[0].tolist())
        yield f"{json.dumps(text)}\t{ids}\t{logits}\t{answer.label}\t{answer.probability:.9g}"
