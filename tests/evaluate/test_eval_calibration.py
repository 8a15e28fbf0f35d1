from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from edgekd.errors import DataError
from edgekd.evaluate.classify.calibration import (
    brier_score,
    confident_error_rate,
    expected_calibration_error,
    fit_temperature,
    measure_calibration,
)
from edgekd.evaluate.predictions import Predictions


def draw(seed, rows, labels, spread=3.0):
    """Logits, and truths drawn from their softmax: perfectly calibrated by construction."""
    random = np.random.default_rng(seed)
    logits = random.normal(scale=spread, size=(rows, labels))
    truth = np.array([random.choice(labels, p=p) for p in np.exp(log_softmax(logits, axis=1))])
    return logits, truth


def test_ece_by_hand():
    probabilities = np.array([[0.95, 0.05], [0.95, 0.05], [0.55, 0.45], [0.4, 0.6]])
    truth = np.array([0, 1, 0, 1])
    # Bins of 1/15: 0.95 is alone with one right of two; 0.55 and 0.6 lie in (8/15, 9/15], both right.
    assert expected_calibration_error(probabilities, truth) == pytest.approx((2 * 0.45 + 2 * 0.425) / 4)


def test_bins_are_closed_on_the_right():
    at_edge = np.array([[0.8, 0.2], [0.76, 0.24]])  # 12/15 belongs with 0.76, in (11/15, 12/15]
    truth = np.array([1, 0])
    assert expected_calibration_error(at_edge, truth, bins=5) == pytest.approx(abs(0.8 + 0.76 - 1) / 2)


def test_brier_is_the_squared_distance_summed_over_labels():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0]])
    truth = np.array([1, 1])
    assert brier_score(probabilities, truth) == pytest.approx((0.49 + 0.64 + 0.01) / 2)
    assert brier_score(np.array([[0.0, 1.0]]), np.array([0])) == pytest.approx(2)


def test_confident_errors_are_a_share_of_all_rows(golden):
    figures = golden["scale"]["confident_errors_at_20m"]
    wrong = 0.1
    for name in "ab":
        rows, confident = 1000, round(1000 * figures[f"rate_{name}"])
        top = np.r_[np.full(confident, 0.9), np.full(rows - confident, 0.89)]
        truth = np.r_[np.ones(round(rows * wrong), int), np.zeros(rows - round(rows * wrong), int)]
        rate = confident_error_rate(np.stack([top, 1 - top], axis=1), truth)
        assert rate * 20_000_000 == pytest.approx(figures[f"count_{name}"])


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 3.0])
def test_fit_finds_the_temperature_that_was_applied(true_temperature):
    logits, truth = draw(3, 4000, 5)
    found = fit_temperature(logits * true_temperature, truth)
    assert found == pytest.approx(true_temperature, rel=0.08)
    assert found == fit_temperature(logits * true_temperature, truth)
    better = Predictions("x", logits * true_temperature).probabilities(found)
    assert measure_calibration(better, truth).ece < 0.03


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6), st.floats(0.1, 30))
def test_fit_is_the_minimum_within_its_bounds(seed, labels, spread):
    logits, truth = draw(seed, 60, labels, spread)

    def loss(temperature):
        return -log_softmax(logits / temperature, axis=1)[np.arange(60), truth].mean()

    found = fit_temperature(logits, truth)
    assert 0.05 <= found <= 20
    assert loss(found) <= min(loss(t) for t in np.geomspace(0.05, 20, 60)) + 1e-6


def test_fit_at_its_bounds_and_at_great_logits():
    separable = np.eye(3)[[0, 1, 2]] * 5
    assert fit_temperature(separable, np.array([0, 1, 2])) == 0.05
    assert fit_temperature(separable, np.array([1, 2, 0])) == 20
    logits, truth = draw(1, 500, 4)
    assert fit_temperature(logits + 1e6, truth) == pytest.approx(fit_temperature(logits, truth), abs=1e-3)


@pytest.mark.parametrize(
    ("table", "truth"),
    [
        (np.ones((2, 2)), np.array([0])),
        (np.ones((0, 2)), np.array([], int)),
        (np.array([[np.nan, 1.0]]), np.array([0])),
        (np.ones((1, 2)), np.array([2])),
    ],
)
def test_arrays_that_do_not_fit_are_refused(table, truth):
    with pytest.raises(DataError):
        fit_temperature(table, truth)
    with pytest.raises(DataError):
        measure_calibration(table, truth)
