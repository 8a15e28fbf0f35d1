from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from edgekd.errors import BadInputError
from edgekd.stats.paired import excess, paired_drop_bound, rows_needed


@st.composite
def tables(draw, most=2000):
    n = draw(st.integers(1, most))
    lost = draw(st.integers(0, n))
    return lost, draw(st.integers(0, n - lost)), n


def test_published_interval_of_the_skewness_corrected_score():
    """ratesci 1.0 on the pairs of Bentur et al. (2009), two-sided 95 %, without the half row."""

    def reached(lost, gained, n):
        z = NormalDist().inv_cdf(0.975)
        return brentq(lambda drop: excess(drop, lost, gained, n, z, half_row=0.0), (lost - gained) / n, 0.99)

    assert -reached(7, 1, 21) == pytest.approx(-0.5281, abs=5e-5)
    assert reached(1, 7, 21) == pytest.approx(-0.0184, abs=5e-5)
    low, high = paired_drop_bound(1, 7, 21, confidence=0.975)
    assert -0.5281 - 0.5 / 21 < low < -0.5281
    assert -0.0184 < high < -0.0184 + 1 / 21


@pytest.mark.parametrize("n", [44, 400, 4000])
def test_no_losses_are_bounded_as_by_the_exact_rule_of_three(n):
    """(1 - p)^n = 5 % is the exact bound of a share none of which was seen; ours is no less and near it."""
    low, high = paired_drop_bound(0, 0, n)
    exact = 1 - 0.05 ** (1 / n)
    assert exact < high < 1.07 * exact
    assert low == -high


@pytest.mark.parametrize("n", [0, 1])
def test_one_row_says_nothing(n):
    assert paired_drop_bound(0, 0, n) == (-1, 1)
    assert paired_drop_bound(n, 0, n) == (-1, 1)


def test_ends_of_the_range():
    assert paired_drop_bound(7, 0, 7)[1] == 1
    assert paired_drop_bound(0, 7, 7)[0] == -1
    assert -1 <= paired_drop_bound(7, 0, 7)[0] < 1


@given(tables(), st.sampled_from([0.9, 0.95, 0.99]))
def test_bounds_hold_the_estimate_and_mirror(table, confidence):
    lost, gained, n = table
    low, high = paired_drop_bound(lost, gained, n, confidence)
    assert -1 <= low <= (lost - gained) / n <= high <= 1
    mirrored = paired_drop_bound(gained, lost, n, confidence)
    assert mirrored == pytest.approx((-high, -low), abs=1e-12)


@given(tables())
def test_bounds_rise_with_each_loss(table):
    lost, gained, n = table
    if lost + gained < n:
        low, high = paired_drop_bound(lost, gained, n)
        worse_low, worse_high = paired_drop_bound(lost + 1, gained, n)
        assert worse_low >= low - 1e-12
        assert worse_high >= high - 1e-12


@given(tables())
def test_bounds_widen_with_confidence(table):
    low, high = paired_drop_bound(*table, confidence=0.9)
    lower, higher = paired_drop_bound(*table, confidence=0.99)
    assert lower <= low
    assert high <= higher


@pytest.mark.parametrize(
    ("n", "drop", "gained", "least"),
    [(400, 0.03, 0.01, 40), (2000, 0.015, 0.02, 40), (60, 0.1, 0.0, 20), (4000, 0.015, 0.002, 40)],
)
def test_error_at_the_margin_is_the_nominal_one(n, drop, gained, least):
    """A candidate exactly `drop` worse is called better than that in 5 % of draws, and its noise.

    116 of 2000 is the 95 % point of the count at a true 5 %.
    """
    draws = np.random.default_rng(7).multinomial(n, [drop + gained, gained, 1 - drop - 2 * gained], 2000)
    distinct, times = np.unique(draws[:, :2], axis=0, return_counts=True)
    bounds = np.array([paired_drop_bound(int(a), int(b), n) for a, b in distinct])
    assert times[bounds[:, 1] <= drop].sum() <= 116
    assert times[bounds[:, 1] <= drop].sum() >= least
    assert times[bounds[:, 0] > drop].sum() <= 116


@settings(max_examples=60)
@given(tables(300), st.sampled_from([0.01, 0.03, 0.1]))
def test_rows_needed_is_the_first_size_that_decides(table, margin):
    lost, gained, n = table
    low, high = paired_drop_bound(lost, gained, n)
    more = rows_needed(lost, gained, n, margin)
    decided = high <= margin or low > margin
    assert (more == 0) == decided
    if more is not None and 0 < more < 20 * n:
        # At a whole multiple of n the counts are whole, so the claim can be checked by the bound itself.
        times = -(-(n + more) // n)
        low, high = paired_drop_bound(lost * times, gained * times, n * times)
        assert high <= margin or low > margin
        before = (n + more - 1) // n
        low, high = paired_drop_bound(lost * before, gained * before, n * before)
        assert low <= margin < high


def test_rows_needed_where_nothing_decides():
    assert rows_needed(3, 0, 100, 0.03) is None  # exactly at the margin
    assert rows_needed(0, 0, 0, 0.03) is None
    assert rows_needed(0, 0, 10_000, 0.03) == 0


@pytest.mark.parametrize("table", [(-1, 0, 5), (3, 3, 5), (0, 0, -1)])
def test_impossible_counts_are_refused(table):
    with pytest.raises(BadInputError, match="counts"):
        paired_drop_bound(*table)


@pytest.mark.parametrize("confidence", [0.5, 1.0, float("nan")])
def test_confidence_must_be_one(confidence):
    with pytest.raises(BadInputError, match="confidence"):
        paired_drop_bound(1, 1, 5, confidence)
