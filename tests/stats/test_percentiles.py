import math

import numpy as np
import pytest

from edgekd.errors import BadInputError
from edgekd.stats.interval import Interval
from edgekd.stats.percentiles import (
    log_t_interval,
    log_welch_interval,
    min_samples,
    order_statistic_interval,
)


@pytest.mark.parametrize(
    ("q", "count"), [(0.5, 11), (0.9, 64), (0.95, 130), (0.99, 662), (0.999, 6636), (0.05, 130)]
)
def test_min_samples_are_those_of_loadgen(q, count):
    assert min_samples(q) == count


def test_min_samples_is_the_smallest_count_with_at_most_one_beyond():
    for q in (0.7, 0.95, 0.98):
        for confidence in (0.9, 0.99):
            count = min_samples(q, confidence)

            def one_or_none(n, q=q):
                return q**n + n * q ** (n - 1) * (1 - q)

            assert one_or_none(count) <= 1 - confidence < one_or_none(count - 1)


# Ranks as in published tables of the sign test's interval (Conover, table A3).
@pytest.mark.parametrize(
    ("count", "q", "low", "high"),
    [
        (6, 0.5, 1, 6),
        (10, 0.5, 2, 9),
        (20, 0.5, 6, 15),
        (25, 0.5, 8, 18),
        (100, 0.5, 40, 61),
        (130, 0.95, 118, 129),
        (5, 0.5, -math.inf, math.inf),
        (20, 0.95, 17, math.inf),
    ],
)
def test_order_statistic_golden_ranks(count, q, low, high):
    samples = np.random.default_rng(0).permutation(np.arange(1.0, count + 1))
    interval = order_statistic_interval(samples, q, 0.95)
    assert (interval.low, interval.high) == (low, high)
    assert interval.estimate == pytest.approx(1 + q * (count - 1))
    assert interval.confidence == 0.95


@pytest.mark.parametrize("q", [0.5, 0.9, 0.95])
@pytest.mark.parametrize("count", [40, 137, 300])
def test_order_statistic_ranks_hold_their_confidence_and_no_closer_ones_do(q, count):
    interval = order_statistic_interval(np.arange(1.0, count + 1), q, 0.95)

    def below(rank):
        """P(fewer than `rank` samples lie at or below the percentile)."""
        return sum(math.comb(count, k) * q**k * (1 - q) ** (count - k) for k in range(int(rank)))

    assert below(interval.low) <= 0.025 < below(interval.low + 1)
    if math.isfinite(interval.high):
        assert 1 - below(interval.high) <= 0.025 < 1 - below(interval.high - 1)


def test_order_statistic_interval_covers():
    rng = np.random.default_rng(1)
    for q in (0.5, 0.95):
        truth = -math.log(1 - q)  # of an exponential
        intervals = [order_statistic_interval(rng.exponential(size=200), q, 0.95) for _ in range(1000)]
        assert np.mean([found.low <= truth <= found.high for found in intervals]) >= 0.94


def test_log_t_interval_golden():
    # logs 1, 2, 3: mean 2, standard error 1 / sqrt(3), t(0.975, 2) = 4.302653
    found = log_t_interval(np.exp([1.0, 2.0, 3.0]), 0.95)
    half = 4.302653 / math.sqrt(3)
    assert found.estimate == pytest.approx(math.exp(2))
    assert found.low == pytest.approx(math.exp(2 - half), rel=1e-6)
    assert found.high == pytest.approx(math.exp(2 + half), rel=1e-6)


def test_log_t_interval_covers_with_six_processes():
    rng = np.random.default_rng(2)
    intervals = [log_t_interval(rng.lognormal(0.3, 0.05, 6), 0.95) for _ in range(2000)]
    assert 0.935 <= np.mean([found.low <= math.exp(0.3) <= found.high for found in intervals]) <= 0.965


def test_equal_values_have_no_width():
    assert log_t_interval(np.full(4, 0.7), 0.95) == Interval(0.7, 0.7, 0.7, 0.95)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: log_t_interval(np.array([1.0]), 0.95), "at least 2"),
        (lambda: log_t_interval(np.array([1.0, 0.0]), 0.95), "positive"),
        (lambda: log_t_interval(np.array([1.0, np.inf]), 0.95), "finite"),
        (lambda: order_statistic_interval(np.array([]), 0.5, 0.95), "needs samples"),
        (lambda: order_statistic_interval(np.array([1.0]), 95.0, 0.95), "q must lie between 0 and 1, got 95"),
        (lambda: min_samples(1.0), "q must lie"),
        (lambda: min_samples(0.5, 99.0), "confidence must lie"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(BadInputError, match=message):
        call()


def test_welch_agrees_with_scipy():
    from scipy.stats import ttest_ind

    rng = np.random.default_rng(0)
    logs, others = rng.normal(0.1, 0.01, 7), rng.normal(0.0, 0.05, 5)
    found = log_welch_interval(logs, others, 0.95)
    expected = ttest_ind(logs, others, equal_var=False).confidence_interval(0.95)
    assert np.log([found.low, found.high]) == pytest.approx([expected.low, expected.high])
    with pytest.raises(BadInputError, match="2 or more"):
        log_welch_interval(logs[:1], others, 0.95)
