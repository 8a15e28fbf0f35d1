"""What a model's outputs claim: that a text is of a class, or that candidates fit a query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekd.curate.claims.check import Claimed
from edgekd.distill.lists import Lists
from edgekd.serving.request import UNIT

_CHUNK = 1 << 16  # rows whose probabilities are in memory at once


@dataclass(frozen=True)
class Spoken:
    """What a model said of some examples.

    Attributes:
        outputs: of each example, [example, output].
        names: of the outputs.
        examples: the examples' texts.
        lists: which examples are of which request.
        places: of an order, how many of the first candidates are claimed to fit.
    """

    outputs: npt.NDArray[np.floating[Any]]
    names: Sequence[str]
    examples: Sequence[str]
    lists: Lists
    places: int


def claim_classes(spoken: Spoken) -> Claimed:
    """Every example is claimed to be of its likeliest class; how sure that is, is the class's probability."""
    count = len(spoken.outputs)
    best, sure = np.zeros(count, np.int64), np.zeros(count)
    for start in range(0, count, _CHUNK):
        part = spoken.outputs[start : start + _CHUNK].astype(np.float64)
        powers = np.exp(part - part.max(axis=1, keepdims=True))
        best[start : start + _CHUNK] = part.argmax(axis=1)
        sure[start : start + _CHUNK] = powers.max(axis=1) / powers.sum(axis=1)
    return Claimed(np.arange(count), [spoken.names[place] for place in best.tolist()], sure)


def claim_places(spoken: Spoken) -> Claimed:
    """The first candidates of a query are claimed to fit it; a list's last candidate never is.

    How sure that is, is the sigmoid of a candidate's lead over the first one that is not claimed to fit.
    """
    scores = spoken.outputs[:, 0].astype(np.float64)
    found: list[int] = []
    sure: list[float] = []
    for start, end in zip(spoken.lists.starts[:-1].tolist(), spoken.lists.starts[1:].tolist(), strict=True):
        order = start + np.argsort(-scores[start:end], kind="stable")
        count = min(spoken.places, end - start - 1)
        if count < 1:
            continue
        found += order[:count].tolist()
        sure += (1 / (1 + np.exp(scores[order[count]] - scores[order[:count]]))).tolist()
    claims = [spoken.examples[place].partition(UNIT)[2] for place in found]
    return Claimed(np.array(found, np.int64), claims, np.array(sure, np.float64))
