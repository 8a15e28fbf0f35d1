from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom
from statsmodels.stats.proportion import proportion_confint

from edgekd.errors import BadInputError
from edgekd.stats.proportion import exact_upper_bound, wilson_interval

counts = st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def test_review_bound_of_golden_figures(golden):
    figures = golden["hallucination_review_bound"]
    bound = exact_upper_bound(figures["found"], figures["reviewed"])
    assert round(bound, 4) == figures["upper_95_one_sided"]
    # Wilson's one-sided end would print another digit: the method is told apart by the figure.
    assert round(wilson_interval(78, 2000, 0.90).high, 4) != figures["upper_95_one_sided"]


@given(counts, st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_agrees_with_statsmodels(count, confidence):
    hits, n = count
    interval = wilson_interval(hits, n, confidence)
    low, high = proportion_confint(hits, n, alpha=1 - confidence, method="wilson")
    assert interval.low == pytest.approx(max(low, 0), abs=1e-12)
    assert interval.high == pytest.approx(min(high, 1), abs=1e-12)
    assert interval.low <= interval.estimate <= interval.high


@given(counts)
def test_exact_bound_inverts_the_binomial_tail(count):
    found, n = count
    bound = exact_upper_bound(found, n)
    if found == n:
        assert bound == 1
    else:
        assert bound > found / n
        assert binom.cdf(found, n, bound) == pytest.approx(0.05, rel=1e-6)


@pytest.mark.parametrize(("hits", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_impossible_counts_are_refused(hits, n):
    with pytest.raises(BadInputError):
        wilson_interval(hits, n)
    with pytest.raises(BadInputError):
        exact_upper_bound(hits, n)
