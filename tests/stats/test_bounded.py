from __future__ import annotations

from itertools import product
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import gammaln
from scipy.stats import beta
from scipy.stats import t as student

from edgekd.errors import BadInputError
from edgekd.stats.bounded import GRID, BoundedMean
from edgekd.stats.end_row import bound_gap, nearest_gap

Z = NormalDist().inv_cdf(0.95)
places = st.lists(st.integers(-GRID, GRID), min_size=1, max_size=40)


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99, 0.999])
@pytest.mark.parametrize(("hits", "n"), [(0, 1), (0, 30), (3, 30), (29, 30), (30, 30), (7, 300), (150, 300)])
def test_hits_have_nearly_the_exact_bounds(hits, n, confidence):
    ends = BoundedMean.of(np.repeat([1.0, 0.0], [hits, n - hits])).at(confidence)
    high = beta.ppf(confidence, hits + 1, n - hits) if hits < n else 1.0
    low = beta.ppf(1 - confidence, hits, n - hits + 1) if hits else 0.0
    assert -0.001 <= (ends.high - high) / max(high - hits / n, 1e-9) <= 0.006
    assert -0.001 <= (low - ends.low) / max(hits / n - low, 1e-9) <= 0.006


def test_bounds_of_gaffke_are_quantiles_of_randomly_weighed_means():
    values = np.array([0.1, 0.15, 0.4, 0.4, 0.75, 0.0, 0.05, 0.3])
    weights = np.random.default_rng(0).dirichlet(np.ones(9), 400_000)
    exact = np.quantile(weights @ np.append(values, 1.0), 0.95)
    assert 1 - bound_gap(np.ones(8), 1 - values, np.ones(()), Z) == pytest.approx(exact, abs=0.002)


def test_rare_losses_that_were_not_seen_are_allowed_for():
    noise = np.random.default_rng(0).normal(0, 0.01, 300).clip(-1, 1)
    ends = BoundedMean.of(noise, least=-1.0).at(0.95)
    most = 2.9 / 300  # three losses in 300 rows are unseen in 5 % of cases
    assert ends.high - ends.estimate > most > 3 * noise.std() / 300**0.5
    assert ends.estimate - ends.low > most


@pytest.mark.parametrize(
    "values", [(1, 0, -1), (1, 0.5, 0), (1, 0.8, 0), (1, 0, -0.1), (0.5, 0, -0.5), (1, 0.9, -1), (0.3, 0, -1)]
)
def test_three_values_err_in_at_most_five_per_cent(values):
    """Every count of 30 rows is judged, for many shares of the three values: no draw, no noise."""
    n, grid = 30, np.array(values, float)
    counts = np.array([(a, b, n - a - b) for a, b in product(range(n + 1), repeat=2) if a + b <= n], float)
    odds = np.concatenate([np.geomspace(0.003, 0.1, 12), np.linspace(0.13, 0.96, 15)])
    shares = np.array([(a, b, 1 - a - b) for a, b in product(odds, repeat=2) if a + b < 1 - 1e-9])
    orders = gammaln(n + 1) - gammaln(counts + 1).sum(1)
    chances = np.exp(orders[:, None] + counts @ np.log(shares).T)
    means = shares @ grid

    def errs(high):
        return ((high[:, None] < means - 1e-12) * chances).sum(0).max()

    assert errs(1 - nearest_gap(counts, 1 - grid, Z)) <= 0.05
    assert errs(1 - nearest_gap(counts, 1 - grid, NormalDist().inv_cdf(0.99))) <= 0.0105
    if values[0] == 1:  # the test can fail: half a row at the end is not enough
        assert errs(1 - bound_gap(counts, 1 - grid, np.full(len(counts), 0.5), Z)) > 0.08


def mixed(rng, n):
    chance, part = rng.random((2, n))
    return np.select([chance < 0.25, chance < 0.35], [part**2, -(part**2) / 2], 0.0)


def rare(rng, n):
    return (rng.random(n) < 0.02).astype(float)


@pytest.mark.parametrize(
    ("draw", "mean", "n", "widest"),
    [(mixed, 0.25 / 3 - 0.1 / 6, 40, 9), (mixed, 0.25 / 3 - 0.1 / 6, 300, 1.15), (rare, 0.02, 150, 9)],
)
def test_skewed_differences_err_in_at_most_five_per_cent(draw, mean, n, widest):
    rng, draws = np.random.default_rng(0), 1500
    wrong, width, of_t = np.zeros(2), np.zeros(2), 0.0
    for _ in range(draws):
        values = draw(rng, n)
        ends = BoundedMean.of(values, least=-1.0).at(0.95)
        wrong += ends.high < mean, ends.low > mean
        width += ends.high - ends.estimate, ends.estimate - ends.low
        of_t += student.ppf(0.95, n - 1) * values.std(ddof=1) / n**0.5
    assert (wrong / draws <= 0.05 + 2 * (0.05 * 0.95 / draws) ** 0.5).all()
    assert (width / of_t <= widest).all()


@given(places, st.sampled_from([0.6, 0.9, 0.95, 0.999]))
@settings(max_examples=60, deadline=None)
def test_bounds_are_in_order_and_mirrored(found, confidence):
    mean = BoundedMean.of(np.array(found) / GRID, least=-1.0)
    ends, wider = mean.at(confidence), mean.at(confidence + (1 - confidence) / 2)
    assert -1 <= wider.low <= ends.low <= ends.estimate <= ends.high <= wider.high <= 1
    turned = BoundedMean.of(-np.array(found) / GRID, least=-1.0).at(confidence)
    assert (-turned.low, -turned.high) == pytest.approx((ends.high, ends.low), abs=1e-9)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_what_is_kept_has_the_same_mean_and_number_of_rows(values):
    mean = BoundedMean.of(np.array(values))
    assert mean.n == len(values)
    assert mean.places == tuple(sorted(set(mean.places)))
    kept = np.dot(mean.places, mean.rows) / GRID / mean.n
    assert kept == pytest.approx(np.mean(values), abs=1e-5)


def test_the_grid_changes_bounds_by_little():
    values = np.random.default_rng(0).beta(0.5, 2, 400)
    exact = 1 - nearest_gap(np.ones(400), 1 - values, Z)
    assert BoundedMean.of(values).at(0.95).high == pytest.approx(float(exact), abs=2e-5)


@pytest.mark.parametrize(("value", "least"), [(1.0, 0.0), (1.0, -1.0), (0.0, 0.0), (-1.0, -1.0)])
def test_rows_at_one_end_say_nothing_beyond_it(value, least):
    ends = BoundedMean.of(np.full(50, value), least).at(0.95)
    if value == 1:
        assert ends.high == 1 > ends.low > 0.9 * (1 - least) + least
    else:
        assert ends.low == least < ends.high < 0.1 * (1 - least) + least


@pytest.mark.parametrize("limit", [0.03, 0.005])
def test_the_rows_that_are_needed_are_enough_and_no_fewer(limit):
    values = np.array([0.0] * 38 + [0.1, 0.3])
    mean = BoundedMean.of(values, least=-1.0)
    more = mean.rows_needed(limit)

    def shows(rows):
        again = BoundedMean(mean.estimate, -1.0, mean.places, tuple(rows / 40 * n for n in mean.rows))
        ends = again.at(0.95)
        return ends.high <= limit if mean.estimate < limit else ends.low > limit

    assert more > 0
    assert shows(40 + more)
    assert not shows(39 + more)
    assert BoundedMean.of(np.tile(values, 200), least=-1.0).rows_needed(0.03) == 0
    assert mean.rows_needed(mean.estimate) is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "at least one row"),
        ([0.5, 1.01], "between 0 and 1"),
        ([-0.5], "between 0 and 1"),
        ([0.1, float("nan")], "between 0 and 1"),
    ],
)
def test_values_out_of_range_are_refused(values, message):
    with pytest.raises(BadInputError, match=message):
        BoundedMean.of(np.array(values, float))


@pytest.mark.parametrize("confidence", [0.5, 1, 0.05])
def test_a_confidence_that_is_none_is_refused(confidence):
    with pytest.raises(BadInputError, match="confidence"):
        BoundedMean.of(np.array([0.5])).at(confidence)
