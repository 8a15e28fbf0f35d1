"""Two models that rank in turn: the first orders all candidates, the second its best ones anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt


def keep_best(first: npt.NDArray[np.float32], keep: int) -> npt.NDArray[np.int64]:
    """Return the places of the `keep` candidates with the highest scores [place], best first."""
    return np.asarray(np.argsort(-first, kind="stable")[:keep])


def join_scores(
    first: npt.NDArray[np.float32], kept: npt.NDArray[np.int64], second: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Return the scores [place] of both models: the second's of the places that were kept, [kept].

    All others come after them, in the first model's order.

    >>> first = np.array([3.0, 1.0, 2.0], np.float32)
    >>> join_scores(first, keep_best(first, 2), np.array([0.5, 0.75], np.float32)).tolist()
    [0.5, -1.5, 0.75]
    """
    below = first - first[kept].min() + second.min() - 1
    below[kept] = second
    return np.asarray(below, np.float32)
