"""Which rows an epoch may do without: those that the model knows give next to no gradient."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def skip_easy(
    drawn: npt.NDArray[np.int64], losses: npt.NDArray[np.float32], share: float, seed: int, epoch: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Leave out a share of the drawn rows whose loss lay below the mean of its time, at random.

    Those of them that stay count 1 / (1 - share) times, so that on average the gradient is that of all rows.

    Args:
        drawn: row numbers of an epoch.
        losses: of every row of the training set, each over the mean of the time when it was last taken.
        share: of the rows below the mean, [0, 1).
        seed: of the training.
        epoch: counted from 0; each leaves out others.

    Returns:
        The row numbers that stay, and a weight for every row of the training set.

    Source: Qin, Z. et al. (2024), InfoBatch: lossless training speed up by unbiased dynamic data pruning,
    ICLR; there losses of a whole epoch are compared, however far the model has come in between.
    """
    is_easy = losses < 1
    chance = np.random.default_rng((seed, epoch, 1)).random(len(drawn))
    weights = np.where(is_easy, 1 / (1 - share), 1.0).astype(np.float32)
    return drawn[~is_easy[drawn] | (chance >= share)], weights
