"""Class weights: rows of rare classes count more. Scaled so that their mean over rows is 1."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32, Int


def inverse_frequency(counts: Int[np.ndarray, " label"]) -> Float[np.ndarray, " label"]:
    """Return weights in proportion to 1 / n: every class counts the same in all, however few its rows.

    >>> inverse_frequency(np.array([90, 10])).tolist()
    [0.5555555555555556, 5.0]

    Args:
        counts: Labelled rows a class; a class without rows gets weight 0, there is nothing to weigh.
    """
    return _scaled(1 / np.maximum(counts, 1), counts)


def effective_number(counts: Int[np.ndarray, " label"], beta: float) -> Float[np.ndarray, " label"]:
    """Return weights in proportion to (1 - beta) / (1 - beta^n), milder than the inverse frequency.

    A new row of a class that has many says little new: n rows are worth (1 - beta^n) / (1 - beta).
    Beta 0 weighs all alike, towards 1 it is the inverse frequency. The paper scales to a sum over
    classes; that is the same up to a factor, which `weighted_mean` cancels.
    Source: Cui, Y. et al. (2019), Class-balanced loss based on effective number of samples,
    arXiv:1901.05555.

    Args:
        counts: Labelled rows a class.
        beta: At least 0, under 1; the paper tries 0.9 to 0.9999.
    """
    with np.errstate(divide="ignore"):
        worth = -np.expm1(np.maximum(counts, 1) * np.log(beta))  # 1 - beta^n, to full precision
    return _scaled((1 - beta) / worth, counts)


def weigh_by_class(
    weights: Float[np.ndarray, " label"], classes: Int[np.ndarray, " row"]
) -> Float32[np.ndarray, " row"]:
    """Return the weight of each row, that of its class, for `weighted_mean`; 1 without a label (-1)."""
    return np.where(classes >= 0, weights[np.maximum(classes, 0)], 1.0).astype(np.float32)


def _scaled(
    weights: Float[np.ndarray, " label"], counts: Int[np.ndarray, " label"]
) -> Float[np.ndarray, " label"]:
    weights = np.where(counts > 0, weights, 0.0)
    scaled: Float[np.ndarray, " label"] = weights * counts.sum() / (weights * counts).sum()
    return scaled
