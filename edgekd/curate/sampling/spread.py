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
    useful = np.flatnonzero(worth > 0)
    if len(useful) > POOL * count:
        best = np.argpartition(-worth[useful], POOL * count - 1)[: POOL * count]
        useful = np.sort(useful[best])
    vectors, weight = features[useful], worth[useful]
    distance = np.full(len(useful), 2.0)
    for near in [] if taken is None else np.array_split(taken, max(1, len(taken) // 512)):
        if len(near):
            distance = np.minimum(distance, 2 - 2 * (vectors @ features[near].T).max(axis=1))
    chosen: list[int] = []
    while len(chosen) < min(count, len(useful)):
        chance = weight * np.where(distance > _NEAR, distance, 0.0)
        total = chance.sum()
        if not total > 0:
            break
        place = int(np.searchsorted(np.cumsum(chance), rng.random() * total, side="right"))
        place = min(place, len(useful) - 1)
        chosen.append(place)
        distance = np.minimum(distance, 2 - 2 * (vectors @ vectors[place]))
        distance[place] = 0.0
    return np.asarray(useful[np.array(chosen, np.int64)], np.int64)
