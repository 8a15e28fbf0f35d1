"""Choose rows that are each worth something and unlike one another."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgekd.curate.sampling.features import Features

POOL = 4
"""So many times the count of the best rows are looked at: the very best are often copies of one another."""
_NEAR = 1e-5
"""Squared distance below which two rows are the same, in single precision."""


def choose_spread(
    features: Features,
    worth: npt.NDArray[np.float64],
    count: int,
    rng: np.random.Generator,
    taken: npt.NDArray[np.int64] | None = None,
) -> npt.NDArray[np.int64]:
    """Draw `count` rows by their worth times the squared distance to what is chosen already; places [chosen].

    `features` [row, feature] are of length 1. Rows of worth 0 are never chosen, nor a second row equal to
    one that is; so fewer may come. `taken` are rows that are labelled already, from which to keep away.

    Source: k-means++ (Arthur, D. and Vassilvitskii, S. (2007), SODA, 1027-1035), which BADGE uses for
    batches of labels (Ash, J. et al. (2020), Deep batch active learning by diverse, uncertain gradient
    lower bounds, ICLR); the weights are those of weighted k-means, in a pool of the best rows as Citovsky,
    G. et al. (2021, Batch active learning at scale, NeurIPS) keep it small.
    """
    useful = rng.permutation(np.flatnonzero(worth > 0))  # of rows worth the same none comes first
    useful = useful[np.argsort(-worth[useful], kind="stable")]
    known = np.zeros(0, np.int64) if taken is None else taken
    chosen = np.zeros(0, np.int64)
    start, size = 0, POOL * count
    while len(chosen) < count and start < len(useful):
        pool = np.sort(useful[start : start + size])
        found = _draw(features, worth, pool, np.concatenate([known, chosen]), count - len(chosen), rng)
        chosen = np.concatenate([chosen, found])
        start, size = start + size, 2 * size  # the pool held copies: look further
    return chosen


def _draw(
    features: Features,
    worth: npt.NDArray[np.float64],
    pool: npt.NDArray[np.int64],
    known: npt.NDArray[np.int64],
    count: int,
    rng: np.random.Generator,
) -> npt.NDArray[np.int64]:
    """Draw from one pool of places."""
    vectors, weight = features[pool], worth[pool]
    distance = np.full(len(pool), 2.0)
    for near in np.array_split(known, max(1, len(known) // 512)):
        if len(near):
            distance = np.minimum(distance, 2 - 2 * (vectors @ features[near].T).max(axis=1))
    chosen: list[int] = []
    while len(chosen) < count:
        chance = weight * np.where(distance > _NEAR, distance, 0.0)
        total = chance.sum()
        if not total > 0:
            break
        place = int(np.searchsorted(np.cumsum(chance), rng.random() * total, side="right"))
        place = min(place, len(pool) - 1)
        chosen.append(place)
        distance = np.minimum(distance, 2 - 2 * (vectors @ vectors[place]))
        distance[place] = 0.0
    return np.asarray(pool[np.array(chosen, np.int64)], np.int64)
