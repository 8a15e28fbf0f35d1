"""Whether a model's probabilities mean what they say, and the temperature that makes them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgekd.errors import DataError
from edgekd.evaluate.arrays import Labels, Scores
from edgekd.evaluate.result import Calibration
from edgekd.stats.interval import Interval
from edgekd.stats.proportion import wilson_interval

BINS = 15
"""Equal-width bins of `expected_calibration_error`, as in Guo et al. (2017)."""
CONFIDENT = 0.9
"""Top probability from which a wrong answer counts as a confident error."""
COLDEST, HOTTEST = 0.05, 20.0
"""Bounds of a fitted temperature: beyond them the fit speaks of the sample, not of the model."""


def measure_calibration(probabilities: Scores, truth: Labels) -> Calibration:
    """Measure ECE, Brier score and confident-error rate on the same rows."""
    return Calibration(
        ece=expected_calibration_error(probabilities, truth),
        brier=brier_score(probabilities, truth),
        confident_error_rate=confident_error_rate(probabilities, truth),
        n=len(truth),
    )


def expected_calibration_error(probabilities: Scores, truth: Labels, bins: int = BINS) -> float:
    """Return the mean gap between top probability and accuracy, over bins weighted by their rows.

    Bins are of equal width and closed on the right, ((m - 1) / M, m / M]. At few rows the figure is
    biased upwards: a perfectly calibrated model does not reach 0. Source: Guo, C. et al. (2017), On
    calibration of modern neural networks, ICML, equation 3.

    >>> expected_calibration_error(np.array([[0.75, 0.25]] * 4), np.array([0, 0, 0, 1]))
    0.0
    """
    _check(probabilities, truth)
    top = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    place = np.clip(np.ceil(top * bins).astype(np.int64) - 1, 0, bins - 1)
    gaps = np.bincount(place, weights=top - right, minlength=bins)
    return float(np.abs(gaps).sum() / len(truth))


def equal_mass_calibration_error(probabilities: Scores, truth: Labels, bins: int = BINS) -> float:
    """Return the mean gap between top probability and accuracy, over bins of equally many rows.

    No bin is nearly empty, so it is steadier than equal widths where most answers are sure. Source: Nguyen,
    K. and O'Connor, B. (2015), Posterior calibration and exploratory analysis for natural language
    processing models, EMNLP.
    """
    _check(probabilities, truth)
    order = np.argsort(probabilities.max(axis=1), kind="stable")
    gap = (probabilities.max(axis=1) - (probabilities.argmax(axis=1) == truth))[order]
    return float(_equal_mass(gap, bins))


def _equal_mass(gaps: npt.NDArray[np.float64], bins: int) -> npt.NDArray[np.float64]:
    """Take the error over the last axis, whose gaps are in order of top probability: [..., rows] to [...]."""
    rows = gaps.shape[-1]
    places = np.arange(min(bins, rows))
    whole, left = divmod(rows, len(places))  # the first bins hold one row more
    sums = np.add.reduceat(gaps, places * whole + np.minimum(places, left), axis=-1)
    return np.asarray(np.abs(sums).sum(axis=-1) / rows)


def calibrated_error(probabilities: Scores, bins: int = BINS, draws: int = 200, seed: int = 0) -> float:
    """Return the equal-mass error that a perfectly calibrated model shows on so few rows: its bias.

    Right answers are drawn with the top probabilities as their chances; the mean over `draws`.
    """
    top = np.sort(probabilities.max(axis=1))
    right = np.random.default_rng(seed).random((draws, len(top))) < top
    return float(_equal_mass(top - right, bins).mean())


def calibration_intervals(
    probabilities: Scores, truth: Labels, *, confidence: float = 0.9, draws: int = 300, seed: int = 0
) -> dict[str, Interval]:
    """Return `ece` (bins of equal mass), `brier` and `confident_error_rate` with two-sided intervals.

    The rate has Wilson's; the other two the bootstrap's over rows, basic (2 x estimate less the opposite
    percentile), as the percentiles themselves would double the error's bias upwards.
    """
    _check(probabilities, truth)
    n = len(truth)
    top, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    squares = (probabilities**2).sum(axis=1) - 2 * probabilities[np.arange(n), truth] + 1
    order = np.argsort(top, kind="stable")
    gaps = (top - right)[order]
    found = {"ece": float(_equal_mass(gaps, BINS)), "brier": float(squares.mean())}
    rng = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {"ece": [], "brier": []}
    for _ in range(draws):
        rows = np.sort(rng.integers(0, n, n))  # sorted rows keep the order of top probabilities
        drawn["ece"].append(float(_equal_mass(gaps[rows], BINS)))
        drawn["brier"].append(float(squares[rows].mean()))
    tail = (1 - confidence) / 2
    intervals = {}
    for name, estimate in found.items():
        low, high = np.quantile(drawn[name], [tail, 1 - tail])
        ends = max(0.0, 2 * estimate - float(high)), 2 * estimate - float(low)
        intervals[name] = Interval(estimate, min(ends[0], estimate), max(ends[1], estimate), confidence)
    errors = int((~right & (top >= CONFIDENT)).sum())
    intervals["confident_error_rate"] = wilson_interval(errors, n, confidence)
    return intervals


def brier_score(probabilities: Scores, truth: Labels) -> float:
    """Return the mean squared distance of the probabilities from the truth, 0 (best) to 2.

    The multi-class form, summed over labels. Source: Brier, G. W. (1950), Verification of forecasts
    expressed in terms of probability, Monthly Weather Review 78, 1-3.
    """
    _check(probabilities, truth)
    wanted = probabilities[np.arange(len(truth)), truth]
    squares = (probabilities**2).sum(axis=1) - 2 * wanted + 1
    return float(np.clip(squares, 0, None).mean())


def confident_error_rate(probabilities: Scores, truth: Labels, threshold: float = CONFIDENT) -> float:
    """Return the share of all rows that are wrong with a top probability of at least `threshold`."""
    _check(probabilities, truth)
    wrong = probabilities.argmax(axis=1) != truth
    return float((wrong & (probabilities.max(axis=1) >= threshold)).mean())


def fit_temperature(logits: Scores, truth: Labels) -> float:
    """Return the temperature that makes the truth likeliest, within [0.05, 20], to 4 decimals.

    Fit it on calibration rows, through the compiled model. The mean negative log-likelihood is
    convex in 1 / T, so the bounded search over log T finds its one minimum; nothing is random, and
    the rounding keeps the last bits of a platform's arithmetic out of the artifact's digest.
    Source: Guo, C. et al. (2017), On calibration of modern neural networks, ICML, section 4.2.
    """
    from scipy.optimize import minimize_scalar

    _check(logits, truth)
    scores = logits.astype(np.float64)
    scores = scores - scores.max(axis=1, keepdims=True)
    wanted = scores[np.arange(len(truth)), truth]

    def loss(log_temperature: float) -> float:
        beta = np.exp(-log_temperature)
        return float((np.log(np.exp(beta * scores).sum(axis=1)) - beta * wanted).mean())

    bounds = (float(np.log(COLDEST)), float(np.log(HOTTEST)))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-7})
    best = min((*bounds, float(found.x)), key=loss)
    return round(float(np.exp(best)), 4)


def _check(table: Scores, truth: Labels) -> None:
    if table.ndim != 2 or 0 in table.shape or truth.shape != table.shape[:1]:
        raise DataError(
            f"calibration: expected [examples, labels] and one truth an example, "
            f"got {list(table.shape)} and {list(truth.shape)}"
        )
    if not np.isfinite(table).all():
        raise DataError("calibration: a score is not finite; the model is broken for these inputs")
    if truth.min() < 0 or truth.max() >= table.shape[1]:
        raise DataError(f"calibration: truth must be 0 to {table.shape[1] - 1}, the index of a label")
