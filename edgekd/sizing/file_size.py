"""How large an artifact is: bytes of each number by exact arithmetic, and what its format adds."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]

NUMBERS = ("tables", "products", "rows", "columns", "rest")
_BYTES = {
    "tables": (0.5, 1.0, 2.0, 4.0),
    "products": (0.5, 1.0, 2.0, 4.0),
    "rows": (0.0, 2.0, 4.0, 8.0),  # a scale for each row of a table
    "columns": (0.0, 2.0, 4.0, 5.0, 8.0),  # a scale, and a zero point, for each column of a product
    "rest": (2.0, 4.0),  # biases, norms, places
}
"""Bytes that a format may hold for each number of a kind."""


@dataclass(frozen=True)
class FileSize:
    """The bytes of one format.

    Attributes:
        each: Bytes for each number of NUMBERS.
        always: Bytes of what is the same in all artifacts: loader, manifest, names.
        by_layer: Bytes that each layer's operators add.
    """

    each: tuple[float, ...]
    always: float
    by_layer: float

    def predict(self, numbers: Sequence[float], layers: int) -> float:
        """Return the bytes of a model with so many numbers of each kind, its tokenizer apart."""
        return float(np.dot(self.each, numbers)) + self.always + self.by_layer * layers


def fit_file_size(numbers: Matrix, layers: Matrix, sizes: Matrix) -> FileSize:
    """Find the bytes of a format; the ones that leave the least unexplained, of all that formats have.

    Args:
        numbers: How many numbers of each kind, [artifact, kind] in the order of NUMBERS.
        layers: Layers of each, [artifact].
        sizes: Bytes of each without its tokenizer, [artifact].
    """
    design = np.stack([np.ones(len(layers)), layers], axis=1) if np.ptp(layers) else np.ones((len(layers), 1))
    inverse = np.linalg.pinv(design)
    combinations = np.array(list(itertools.product(*(_BYTES[name] for name in NUMBERS))))
    left = sizes[:, None] - numbers @ combinations.T  # [artifact, combination]
    fitted = inverse @ left
    wrong = np.abs(left - design @ fitted).max(axis=0)
    wrong[(fitted < 0).any(axis=0)] = np.inf  # a format adds bytes, and takes none away
    best = int(wrong.argmin())
    always, by_layer = (*fitted[:, best], 0.0)[:2]
    return FileSize(tuple(combinations[best].tolist()), float(always), float(by_layer))
