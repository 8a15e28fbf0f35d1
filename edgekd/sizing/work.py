"""What a shape has to do for a text, and how many numbers it holds: known from its sizes, without making it.

These are the multiplications, the operators and the weights of the graph that would be compiled; tests hold
them against compiled graphs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from edgekd.config import StudentModel

Matrix = npt.NDArray[np.float64]

CACHED = 1 << 18
"""Weights that stay in a core's own cache from one run to the next, a MiB in fp32: more cost more each."""
BASES = ("request", "candidate", "run", "token", "token squared")
"""What work grows with: requests, their candidates, runs of the model, their tokens, the squares of these."""


@dataclass(frozen=True)
class Encoder:
    """The sizes of the teacher's encoder, from which layers are cut."""

    depth: int
    width: int
    heads: int
    feed_forward: int


@dataclass(frozen=True)
class Sizes:
    """The sizes of a student as it is compiled.

    Attributes:
        layers: Of a transformer; 0 of a static student.
        width: Of the vectors.
        inner: Width of a feed-forward block, or of a static student's hidden layer.
        rows: Tokens that are kept.
        pairs: Rows of the table of pairs.
        places: Positions that are kept.
        outputs: Numbers that a run gives.
    """

    layers: int
    width: int
    heads: int
    inner: int
    rows: int
    pairs: int
    places: int
    outputs: int


def sizes_of(model: StudentModel, encoder: Encoder, rows: int, outputs: int) -> Sizes:
    """Return a student's sizes; `rows` is how many tokens its tokenizer keeps."""
    if model.kind == "static":
        return Sizes(0, model.dimension, 0, model.hidden, rows, model.pairs, 0, outputs)
    if model.kind == "narrow":
        own = model.layers, model.width, model.heads, model.feed_forward
    else:
        own = len(model.layers), encoder.width, encoder.heads, encoder.feed_forward
    return Sizes(*own, rows, model.pairs, model.max_tokens, outputs)


def count_work(sizes: Sizes) -> dict[str, tuple[str, float]]:
    """Return a shape's work by name: what it grows with, one of BASES, and how much of it.

    Multiply-adds are those of products with weights and of attention. A transformer's last layer reads the
    first token alone (`distill/lean.py`): of the others it needs keys and values.
    """
    layers, width, inner = sizes.layers, sizes.width, sizes.inner
    if not layers:
        products = 2.0 * width * inner + inner * sizes.outputs
        return {
            "request": ("request", 1.0),
            "candidate": ("candidate", 1.0),
            "run": ("run", 1.0),
            "token": ("token", 1.0),
            "vectors multiplied": ("candidate", float(width)),
            "table numbers read": ("token", 2.0 * width),
            "products": ("run", products),
            "weights beyond the cache": ("run", max(0.0, products - CACHED)),
        }
    whole = 4.0 * width**2 + 2.0 * width * inner
    read = layers * whole + width**2 + width * sizes.outputs
    wide = float(sizes.pairs > 0)
    return {
        "request": ("request", 1.0),
        "run": ("run", 1.0),
        "token": ("token", 1.0),
        "operators": ("run", float(layers)),
        "products": ("token", (layers - 1) * whole + 2.0 * width**2),
        "weights read": ("run", read),
        "weights beyond the cache": ("run", max(0.0, read - CACHED)),
        "numbers between products": ("token", layers * (6.0 * width + inner)),
        "attention": ("token squared", (layers - 1) * 2.0 * width),
        "attention's shares": ("token squared", (layers - 1) * float(sizes.heads)),
        "wide": ("run", wide),
        "wide table": ("token", wide * sizes.outputs),
    }


def count_numbers(sizes: Sizes) -> dict[str, float]:
    """Return how many numbers the weights are: of tables, of products, and the rest, and rows of tables."""
    layers, width, inner, outputs = sizes.layers, sizes.width, sizes.inner, sizes.outputs
    if not layers:
        table = float(sizes.rows + sizes.pairs)
        return {
            "tables": table * width,
            "rows": table,
            "products": 2.0 * width * inner + inner * outputs,
            "columns": inner + outputs,
            "rest": 4.0 * width + inner + outputs,
        }
    wide = float(sizes.rows + sizes.pairs + 1) if sizes.pairs else 0.0
    return {
        "tables": sizes.rows * width + wide * outputs,
        "rows": sizes.rows + wide,
        "products": layers * (4.0 * width**2 + 2.0 * width * inner) + width**2 + width * outputs,
        "columns": layers * (5.0 * width + inner) + width + outputs,
        "rest": layers * (9.0 * width + inner) + 3.0 * width + outputs + sizes.places * width,
    }


@lru_cache(maxsize=256)
def count_basis(runs: tuple[tuple[int, ...], ...], candidates: tuple[int, ...], most: int) -> Matrix:
    """Return the bases of requests, [request, base]: of each the tokens of its runs, cut to `most`."""
    table = np.empty((len(runs), len(BASES)))
    for row, lengths, count in zip(table, runs, candidates, strict=True):
        cut = np.minimum(np.asarray(lengths, np.float64), most)
        row[:] = 1.0, count, len(cut), cut.sum(), (cut**2).sum()
    table.flags.writeable = False
    return table
