"""Random draws that come out the same on every machine and Python version."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """Draws built on `random.Random.random` alone, the one method whose sequence Python guarantees."""

    def __init__(self, seed: str) -> None:
        self._roll = random.Random(seed).random

    def below(self, n: int) -> int:
        """Draw a whole number in [0, n)."""
        return int(self._roll() * n)

    def between(self, low: int, high: int) -> int:
        """Draw a whole number in [low, high]."""
        return low + int(self._roll() * (high - low + 1))

    def chance(self, p: float) -> bool:
        """Say yes with probability p."""
        return self._roll() < p

    def pick(self, items: Sequence[T]) -> T:
        """Draw one item."""
        return items[int(self._roll() * len(items))]

    def weigh(self, items: Sequence[tuple[T, float]]) -> T:
        """Draw one item by its weight."""
        mark = self._roll() * sum(weight for _, weight in items)
        for item, weight in items:
            mark -= weight
            if mark < 0:
                return item
        return items[-1][0]

    def shuffle(self, items: Sequence[T]) -> list[T]:
        """Return the items in a drawn order (Fisher-Yates)."""
        out = list(items)
        for i in range(len(out) - 1, 0, -1):
            j = int(self._roll() * (i + 1))
            out[i], out[j] = out[j], out[i]
        return out


def apportion(total: int, weights: Sequence[tuple[T, float]], least: int = 0) -> list[tuple[T, int]]:
    """Split `total` over the weights by largest remainder; each item gets at least `least` of it.

    >>> apportion(10, [("a", 0.7), ("b", 0.2), ("c", 0.1)], least=2)
    [('a', 6), ('b', 2), ('c', 2)]
    """
    whole = sum(weight for _, weight in weights)
    exact = [total * weight / whole for _, weight in weights]
    counts = [int(share + 1e-9) for share in exact]
    by_remainder = sorted(range(len(counts)), key=lambda i: (counts[i] - exact[i], i))
    for i in by_remainder[: total - sum(counts)]:
        counts[i] += 1
    for i in range(len(counts)):
        while counts[i] < least and max(counts) > least:
            counts[counts.index(max(counts))] -= 1
            counts[i] += 1
    return [(item, count) for (item, _), count in zip(weights, counts, strict=True)]
