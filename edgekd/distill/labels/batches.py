"""Batches of texts of equal length: nothing is padded, and no mask is needed.

A batch always has as many rows as fit `BATCH_TOKENS`, the last of a length filled up. So what a labeller is
given has one shape a length, and what it says of a text does not depend on which other texts were
missing: a killed job goes on and ends with the same labels.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from edgekd.distill.training.tokens import Tokens

# 256 to 1024 are alike within 10 % on two cores; less wastes more calls, more wastes more rows at the end.
BATCH_TOKENS = 512


def equal_batches(
    tokens: Tokens, rows: npt.NDArray[np.int64]
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Yield, of these rows, those of each batch and its ids [text, token], shortest texts first.

    The ids have a full batch's rows; those after the batch's own repeat its first.
    """
    lengths = tokens.lengths[rows]
    for length in np.unique(lengths).tolist():
        alike = rows[lengths == length]
        size = max(1, BATCH_TOKENS // length)
        for start in range(0, len(alike), size):
            picked = alike[start : start + size]
            filled = np.concatenate([picked, np.full(size - len(picked), picked[0])])
            places = tokens.starts[filled][:, None] + np.arange(length)
            yield picked, tokens.ids[places].astype(np.int64)
