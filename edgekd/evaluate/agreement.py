"""Whether one artifact answers alike in two places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from edgekd.errors import DataError
from edgekd.evaluate.arrays import Biases
from edgekd.evaluate.record import Record
from edgekd.serving.heads import Head
from edgekd.serving.heads.score import TOLERANCE, score_gaps, sigmoid
from edgekd.stats.proportion import exact_upper_bound

_MOST_FLIPS = 50  # listed by name


@dataclass(frozen=True)
class Flip(Record):
    """A row that gets another answer there.

    `margin` is how far here's label leads there's, in outputs, which include the bias where the artifact has
    one; of scores it is how far they lie apart.
    """

    row: str
    here: str
    there: str
    margin: float


@dataclass(frozen=True)
class Agreement(Record):
    """How two sets of answers to the same rows agree; `low` is the share's lower 95 % bound."""

    n: int
    agreeing: int
    low: float
    worst_difference: float
    flips: tuple[Flip, ...]


@dataclass(frozen=True)
class Proof(Record):
    """That no sum of two products saturates 16 bits on x86 without VNNI, whatever the text.

    It covers saturation and nothing else: sums of floats may be rounded in another order there, and arm64
    rounds elsewhere.

    Attributes:
        products: matrix products of whole numbers whose weights were looked at; 0 where the model has none.
        largest: the largest sum, in size, that any activations can make with these weights.
        limit: the largest that 16 bits hold.
    """

    products: int
    largest: int
    limit: int


@dataclass(frozen=True)
class Ported(Record):
    """An artifact's answers on another instruction set against those here, a proof, or the problem.

    With basis `proven` nothing was run there: the weights alone show that nothing can saturate.
    """

    isa: str
    basis: Literal["emulated", "proven", "not measured"]
    agreement: Agreement | None
    problem: str = ""
    proof: Proof | None = None


def rows_to_agree(flips: int, share: float, confidence: float = 0.95) -> int:
    """Return how many rows, of which so many flip, show that at least `share` of all rows agree.

    >>> rows_to_agree(0, 0.99)
    299
    """
    short, enough = flips, flips + 1
    while exact_upper_bound(flips, enough, confidence) > 1 - share:
        short, enough = enough, 2 * enough
    while enough - short > 1:
        middle = (short + enough) // 2
        proves = exact_upper_bound(flips, middle, confidence) <= 1 - share
        short, enough = (short, middle) if proves else (middle, enough)
    return enough


def compare_answers(
    here: npt.NDArray[np.float32],
    there: npt.NDArray[np.float32],
    rows: Sequence[str],
    head: Head,
    bias: Biases | None = None,
) -> Agreement:
    """Compare what is answered to the same rows from two sets of outputs [row, output].

    Labels must be the same, and scores within the head's tolerance; of several places, which end in NaN, the
    one with the highest score. `bias` [label] is added to both sets
    where a label is chosen, as it is served; it is in outputs, as in `Predictions`. The bound is Clopper and
    Pearson's, one-sided.

    Raises:
        DataError: if the shapes differ.
    """
    are_places = not head.labels and here.ndim == 2 and here.shape[1] > 1
    expected = (len(rows), here.shape[1] if are_places else head.width)
    if here.shape != there.shape or here.shape != expected or not len(rows):
        raise DataError(
            f"answers to compare: expected {len(rows)} rows of {head.width} outputs, "
            f"got {list(here.shape)} and {list(there.shape)}"
        )
    if are_places:
        flips = _list_firsts(here, there, rows)
    else:
        flips = (
            _list_labels(here, there, rows, head, bias) if head.labels else _list_scores(here, there, rows)
        )
    flips.sort(key=lambda flip: -flip.margin)
    return Agreement(
        n=len(rows),
        agreeing=len(rows) - len(flips),
        low=1 - exact_upper_bound(len(flips), len(rows)),
        worst_difference=float(np.nanmax(np.abs(here - there))),
        flips=tuple(flips[:_MOST_FLIPS]),
    )


def _list_labels(
    here: npt.NDArray[np.float32],
    there: npt.NDArray[np.float32],
    rows: Sequence[str],
    head: Head,
    bias: Biases | None,
) -> list[Flip]:
    scores = here if bias is None else here + bias
    one, other = scores.argmax(1), (there if bias is None else there + bias).argmax(1)
    return [
        Flip(
            rows[at],
            head.labels[one[at]],
            head.labels[other[at]],
            float(scores[at, one[at]] - scores[at, other[at]]),
        )
        for at in np.flatnonzero(one != other).tolist()
    ]


def _list_scores(
    here: npt.NDArray[np.float32], there: npt.NDArray[np.float32], rows: Sequence[str]
) -> list[Flip]:
    gaps = score_gaps(here, there)
    return [
        Flip(rows[at], f"{sigmoid(here[at, 0]):.3f}", f"{sigmoid(there[at, 0]):.3f}", float(gaps[at]))
        for at in np.flatnonzero(gaps > TOLERANCE).tolist()
    ]


def _list_firsts(
    here: npt.NDArray[np.float32], there: npt.NDArray[np.float32], rows: Sequence[str]
) -> list[Flip]:
    """List the rows of which another place stands first; places count from 1."""
    one, other = (np.where(np.isnan(table), -np.inf, table).argmax(1) for table in (here, there))
    return [
        Flip(
            rows[at],
            f"place {one[at] + 1}",
            f"place {other[at] + 1}",
            float(here[at, one[at]] - here[at, other[at]]),
        )
        for at in np.flatnonzero(one != other).tolist()
    ]
