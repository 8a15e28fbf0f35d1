"""Non-negative least squares on relative errors, and intervals from what it gets wrong when it looks away."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]


def fit_shares(features: Matrix, values: Matrix, weights: Matrix | None = None) -> Matrix:
    """Return what each feature costs, none of them less than nothing, [feature].

    Least squares (Lawson and Hanson 1974, as in scipy) of the error as a share of each value: a shape that
    takes 0.1 ms counts as much as one that takes 10 ms. Work takes time, so no share is negative; so what is
    fitted to few shapes stays sensible for others. `weights` say how much each value counts, [value].
    """
    from scipy.optimize import nnls

    counts = np.ones(len(values)) if weights is None else weights
    scaled = features / values[:, None] * counts[:, None]
    norms = np.linalg.norm(scaled, axis=0)
    norms[norms == 0] = 1.0
    shares, _ = nnls(scaled / norms, counts)
    found: Matrix = shares / norms
    return found


def conformal_ratio(measured: Matrix, predicted: Matrix, confidence: float) -> float:
    """Return the factor within which a new value lies of its prediction, in both directions.

    Predictions are of models that were fitted without the value that they are held against, and the factor is
    the split-conformal quantile of their ratios: the ceil((n + 1) confidence)-th smallest of n, the largest
    where there are fewer (Vovk et al. 2005; with models that leave one out it is the jackknife of Barber et
    al. 2021 with one width for all).
    """
    errors = np.sort(np.abs(np.log(measured / predicted)))
    place = min(math.ceil((len(errors) + 1) * confidence), len(errors))
    return float(np.exp(errors[place - 1]))
