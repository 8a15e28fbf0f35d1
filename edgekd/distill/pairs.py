"""Pairs of neighbouring tokens, by number: what word order a table can hold."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

# OpenVINO multiplies integers as float32, exact under 2^24: enough for a vocabulary of 34,000 tokens.
# Beyond that its parity proof fails.
STEP = 487


def hash_pairs(ids: Tensor, size: int) -> Tensor:
    """Number of each token's pair with the one before it, [row, token]; the first is paired with id 0.

    Pairs share numbers (fastText, Joulin et al. 2017).
    """
    before = functional.pad(ids, (1, 0))[:, :-1]
    return (before * STEP + ids) % size
