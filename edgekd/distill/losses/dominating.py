"""Examples that dominate the loss, in a batch and over epochs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

Id = TypeVar("Id", int, str)


def dominating_examples(
    losses: Float[Tensor, " example"], *, over: float = 1.5
) -> Int[Tensor, " dominating"]:
    """Return indices of examples whose loss is over `over` times the batch mean."""
    return torch.nonzero(losses > over * losses.mean()).flatten()


def persistent_examples(dominating: Iterable[Iterable[Id]], epochs: int) -> dict[Id, int]:
    """Count in how many epochs each example dominated; those of at least `epochs`, most often first.

    An example that dominates once is hard; one that dominates epoch after epoch is mislabelled, or
    beyond the student.

    >>> persistent_examples([["a", "b"], ["b"], ["b", "a", "c"]], epochs=2)
    {'b': 3, 'a': 2}

    Args:
        dominating: For each epoch the ids of its dominating examples.
        epochs: The least number of epochs that is worth a look.
    """
    counts = Counter(name for ids in dominating for name in set(ids))
    return {name: n for name, n in sorted(counts.items(), key=lambda c: (-c[1], c[0])) if n >= epochs}
