"""Two texts in one row of ids: which token is of which."""

from __future__ import annotations

from torch import Tensor


def segments(ids: Tensor, separator: int) -> Tensor:
    """Return 0 up to the first separator of a row of ids [row, token] and 1 after it, of the same shape.

    BERT's token types are these. They are computed from the ids, so that a graph needs no second input.
    """
    is_separator = (ids == separator).long()
    return (is_separator.cumsum(1) - is_separator > 0).long()
