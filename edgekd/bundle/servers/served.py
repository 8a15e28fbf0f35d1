"""An artifact opened as it will be served, and what it answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekd.bundle.changed import find_changed
from edgekd.bundle.servers.batching import Batching, measure_batching
from edgekd.compile import Artifact
from edgekd.config import Target
from edgekd.errors import BadInputError, MissingRuntimeError
from edgekd.serving import ServingError, load
from edgekd.words import OF_HEAD, Words

_GOLDEN, _CHANGED = 50, 10
_EXAMPLE = "where is my order"


@dataclass(frozen=True)
class Golden:
    """What the artifact's student answers to one text; `outputs` [output], uncalibrated.

    `answer` is the label, chosen as it is served, with the decision bias where there is one; or the score.
    """

    text: str
    ids: list[int]
    outputs: list[float]
    answer: str | float

    def to_json(self) -> dict[str, Any]:
        """Return the row as golden files hold it; the answer is called by what it is."""
        name = "label" if isinstance(self.answer, str) else "score"
        return {"text": self.text, "ids": self.ids, "logits": self.outputs, name: self.answer}


@dataclass(frozen=True)
class Served:
    """An artifact, the name that a server knows it by, and its answers here.

    Attributes:
        golden: of up to 50 of the texts, among them up to 10 whose label the bias changes.
        example: the first of them, or the answer to a text of our own where there are none.
        instances: how many answer side by side on the target.
    """

    name: str
    artifact: Artifact
    target: Target
    golden: tuple[Golden, ...]
    example: Golden
    batching: Batching
    instances: int

    @property
    def manifest(self) -> Any:
        """The artifact's manifest."""
        return self.artifact.manifest

    @property
    def changed(self) -> int:
        """How many golden texts have another label than that of the largest logit."""
        labels = self.artifact.head.labels
        return sum(labels[int(np.argmax(row.outputs))] != row.answer for row in self.golden) if labels else 0

    @property
    def words(self) -> Words:
        """What is said of this kind of model."""
        return OF_HEAD[self.artifact.head.name]

    @property
    def named(self) -> str:
        """Say in a sentence what the outputs are."""
        return (
            "`labels.txt` names the logits." if self.artifact.head.labels else "The one logit is a score's."
        )


def open_served(artifact: Artifact, target: Target, texts: Sequence[str]) -> Served:
    """Open the artifact and answer some of the texts.

    Raises:
        BadInputError: a label has a line break, which no file of labels can hold.
        MissingRuntimeError: the artifact's runtime or hardware is not here.
    """
    broken = next((label for label in artifact.head.labels if len(label.splitlines()) != 1), None)
    if broken is not None:
        raise BadInputError(
            f"{artifact.path}: label {broken!r} is not one line; a server lists labels by lines"
        )
    try:
        model = load(artifact.path, threads=target.threads)
        distinct = list(dict.fromkeys(texts))
        changed = find_changed(model, distinct, _CHANGED)
        rest = [text for text in distinct if text not in set(changed)]
        rows = [_answer(model, text) for text in [*_spread(rest, _GOLDEN - len(changed)), *changed]]
        example = rows[0] if rows else _answer(model, _EXAMPLE)
        batching = measure_batching(artifact, [model.tokenize(text) for text in texts], target.threads)
    except ServingError as error:
        raise MissingRuntimeError(f"{error}; make this bundle where the artifact runs") from None
    return Served(
        name=re.sub(r"[^A-Za-z0-9._-]", "-", artifact.student).strip(".-") or "student",
        artifact=artifact,
        target=target,
        golden=tuple(rows),
        example=example,
        batching=batching,
        instances=max(1, int(target.hardware.vcpus) // target.threads),
    )


def _spread(texts: Sequence[str], count: int) -> list[str]:
    """Choose texts from the whole list."""
    return list(texts[:: max(1, -(-len(texts) // count))])


def _answer(model: Any, text: str) -> Golden:
    outputs = [float(str(value)) for value in model.outputs([text])[0]]
    return Golden(text, model.tokenize(text) or [0], outputs, model(text)[0])
