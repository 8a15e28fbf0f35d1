"""What an artifact answers by itself, as golden files and READMEs hold it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekd.bundle.changed import find_changed
from edgekd.compile import Artifact
from edgekd.serving.heads import open_reader
from edgekd.serving.request import describe_request, join_request, split_request

_GOLDEN, _CHANGED = 50, 10
_CANDIDATES = 1_000
_TEXT = "where is my order"


@dataclass(frozen=True)
class Golden:
    """What the artifact's student answers to one text; `outputs` [output], uncalibrated.

    `answer` is the label, chosen as it is served, with the decision bias where there is one; or the labels
    that apply; or the score.
    """

    text: str
    ids: list[int]
    outputs: list[float]
    answer: str | list[str] | float

    def to_json(self) -> dict[str, Any]:
        """Return the row as golden files hold it; the answer is called by what it is."""
        name = {str: "label", list: "labels", float: "score"}[type(self.answer)]
        return {"text": self.text, "ids": self.ids, "logits": self.outputs, name: self.answer}


@dataclass(frozen=True)
class GoldenOrder:
    """What the artifact answers to a request: the candidates' places, best first, and the score of each."""

    request: str
    order: list[int]
    scores: list[float]

    def to_json(self) -> dict[str, Any]:
        """Return the row as golden files hold it."""
        return {**describe_request(self.request), "order": self.order, "scores": self.scores}


@dataclass(frozen=True)
class Example:
    """One run of the model: what is asked and answered, in words, its ids and its outputs [output]."""

    said: str
    ids: list[int]
    outputs: list[float]


def answer_texts(model: Any, texts: Sequence[str]) -> list[Golden]:
    """Answer up to 50 of the texts, among them up to 10 whose label the bias changes."""
    distinct = list(dict.fromkeys(texts))
    changed = find_changed(model, distinct, _CHANGED)
    rest = [text for text in distinct if text not in set(changed)]
    return [_answer_text(model, text) for text in [*_spread(rest, _GOLDEN - len(changed)), *changed]]


def answer_requests(model: Any, requests: Sequence[str]) -> list[GoldenOrder]:
    """Answer up to 50 of the requests, which have about 1,000 candidates together at most."""
    distinct = list(dict.fromkeys(requests))
    candidates = sum(len(split_request(request)[1]) for request in distinct)
    most = min(_GOLDEN, max(1, _CANDIDATES * len(distinct) // max(1, candidates)))
    rows = []
    for request in _spread(distinct, most):
        ranking = model(request)
        rows.append(GoldenOrder(request, list(ranking.order), _shorten(np.array(ranking.scores, np.float32))))
    return rows


def show_text(model: Any, rows: Sequence[Golden]) -> Example:
    """Show the first row, or the answer to a text of our own where there is none."""
    row = rows[0] if rows else _answer_text(model, _TEXT)
    answer = (", ".join(row.answer) or "none") if isinstance(row.answer, list) else row.answer
    said = f"The text {json.dumps(row.text, ensure_ascii=False)}; the answer is `{answer}`."
    return Example(said, row.ids, row.outputs)


def show_run(model: Any, artifact: Artifact, rows: Sequence[GoldenOrder]) -> Example:
    """Show the first run of the first row, or of a request of our own where there is none."""
    request = rows[0].request if rows else join_request(_TEXT, ["my order", "a new book"])
    read = open_reader(artifact.path / "tokenizer.json", artifact.manifest["max_tokens"], artifact.head)
    ids = read(request)[0] or [0]
    outputs = _shorten(model.run(ids))
    query, (first, *_) = split_request(request)
    asked = f"The query {json.dumps(query, ensure_ascii=False)}"
    if artifact.head.towers:
        return Example(f"{asked}; the answer is its vector.", ids, outputs)
    pair = f"{asked} with the candidate {json.dumps(first, ensure_ascii=False)}"
    return Example(f"{pair}; the answer is its score, {outputs[0]:g}.", ids, outputs)


def _answer_text(model: Any, text: str) -> Golden:
    return Golden(text, model.tokenize(text) or [0], _shorten(model.outputs([text])[0]), model(text)[0])


def _spread(texts: Sequence[str], count: int) -> list[str]:
    """Choose texts from the whole list."""
    return list(texts[:: max(1, -(-len(texts) // count))])


def _shorten(outputs: npt.NDArray[np.float32]) -> list[float]:
    """Return numbers with as many digits as tell them apart."""
    return [float(str(value)) for value in outputs]
