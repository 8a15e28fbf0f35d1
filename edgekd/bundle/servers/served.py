"""An artifact opened as it will be served, and what it answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekd.bundle.servers.answers import (
    Example,
    Golden,
    GoldenOrder,
    answer_requests,
    answer_texts,
    show_run,
    show_text,
)
from edgekd.bundle.servers.batching import TOGETHER, Batching, measure_batching
from edgekd.compile import Artifact
from edgekd.compile.cascade import read_first
from edgekd.config import Target
from edgekd.errors import BadInputError, MissingRuntimeError
from edgekd.serving import ServingError, load
from edgekd.serving.heads import open_reader, takes_candidates
from edgekd.serving.request import split_request
from edgekd.words import OF_HEAD, Words


@dataclass(frozen=True)
class Served:
    """An artifact, the name that a server knows it by, and its answers here.

    Attributes:
        loader: the folder of the loader's code that it was made with.
        golden: of up to 50 of the texts, among them up to 10 whose label the bias changes; or of requests.
        example: one run of the model.
        instances: how many answer side by side on the target.
        first: the model that orders all candidates before this one orders its best anew.
    """

    name: str
    artifact: Artifact
    target: Target
    loader: Path
    golden: tuple[Golden, ...] | tuple[GoldenOrder, ...]
    example: Example
    batching: Batching
    instances: int
    first: Served | None = None

    @property
    def manifest(self) -> Any:
        """The artifact's manifest."""
        return self.artifact.manifest

    @property
    def changed(self) -> int:
        """How many golden texts have another label than that of the largest logit."""
        labels = self.artifact.head.labels
        answers = [
            (row.answer, labels[int(np.argmax(row.outputs))])
            for row in self.golden
            if isinstance(row, Golden) and isinstance(row.answer, str)
        ]
        return sum(answer != largest for answer, largest in answers)

    @property
    def parts(self) -> tuple[Served, ...]:
        """The models that the server has, the one that has the last word first."""
        return (self, *(self.first.parts if self.first else ()))

    @property
    def together(self) -> int:
        """How many runs of one length a client may ask for in one request."""
        return TOGETHER if self.batching.is_harmless else 1

    @property
    def ranks(self) -> bool:
        """Whether it is asked for the order of a query's candidates."""
        return takes_candidates(self.artifact.head)

    @property
    def unit(self) -> str:
        """What one run reads."""
        return "pair" if self.ranks and not self.artifact.head.towers else "text"

    @property
    def words(self) -> Words:
        """What is said of this kind of model."""
        return OF_HEAD[self.artifact.head.name]

    @property
    def named(self) -> str:
        """Say in a sentence what the outputs are, and what other model is there."""
        head = self.artifact.head
        if head.labels:
            return "`labels.txt` names the logits."
        if head.towers:
            said = f"The {head.towers} logits are the vector of a query or of a candidate."
        else:
            said = "The one logit is a candidate's score." if self.ranks else "The one logit is a score's."
        if self.first is None:
            return said
        first = f"`{self.first.name}` is there, too: it orders all candidates, and this one reads its best."
        return f"{said}\n{first}"


def open_served(artifact: Artifact, target: Target, texts: Sequence[str]) -> Served:
    """Open the artifact and answer some of the texts, or of the requests where it takes candidates.

    Raises:
        BadInputError: a label has a line break, which no file of labels can hold; or there are texts, and it
            takes requests.
        MissingRuntimeError: the artifact's runtime or hardware is not here.
    """
    broken = next((label for label in artifact.head.labels if len(label.splitlines()) != 1), None)
    if broken is not None:
        raise BadInputError(
            f"{artifact.path}: label {broken!r} is not one line; a server lists labels by lines"
        )
    requests = texts
    if takes_candidates(artifact.head):
        requests = [text for text in texts if split_request(text)[1]]
        if texts and not requests:
            raise BadInputError(
                f"{artifact.path}: orders candidates, and the {len(texts)} texts have none; give --texts a "
                "file of rows with query and candidates"
            )
    try:
        return _open(artifact, target, requests, artifact.path / "serving")
    except ServingError as error:
        raise MissingRuntimeError(f"{error}; make this bundle where the artifact runs") from None


def _open(artifact: Artifact, target: Target, requests: Sequence[str], loader: Path) -> Served:
    model: Any = load(artifact.path, threads=target.threads, verify=loader.parent == artifact.path)
    golden: tuple[Golden, ...] | tuple[GoldenOrder, ...]
    if takes_candidates(artifact.head):
        golden = orders = tuple(answer_requests(model, requests))
        example = show_run(model, artifact, orders)
    else:
        golden = answers = tuple(answer_texts(model, requests))
        example = show_text(model, answers)
    read = open_reader(artifact.path / "tokenizer.json", artifact.manifest["max_tokens"], artifact.head)
    first = read_first(artifact)
    return Served(
        name=re.sub(r"[^A-Za-z0-9._-]", "-", artifact.student).strip(".-") or "student",
        artifact=artifact,
        target=target,
        loader=loader,
        golden=golden,
        example=example,
        batching=measure_batching(artifact, [read(request) for request in requests], target.threads),
        instances=max(1, int(target.hardware.vcpus) // target.threads),
        first=None if first is None else _open(first, target, requests, loader),
    )
