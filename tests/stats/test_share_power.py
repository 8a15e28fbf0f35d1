import numpy as np
import pytest

from edgekd.errors import BadInputError
from edgekd.stats.proportion import exact_upper_bound
from edgekd.stats.share_power import chance_to_prove, hits_to_prove, rows_to_prove, share_to_prove


@pytest.mark.parametrize(("n", "floor"), [(59, 0.95), (200, 0.8), (500, 0.93), (1200, 0.99)])
def test_the_fewest_hits_are_those_whose_exact_bound_reaches_the_floor(n, floor):
    hits = hits_to_prove(n, floor)
    assert 1 - exact_upper_bound(n - hits, n) >= floor > 1 - exact_upper_bound(n - hits + 1, n)


def test_no_hits_are_enough_where_all_of_them_are_not():
    assert hits_to_prove(58, 0.95) is None and share_to_prove(58, 0.95) is None
    assert chance_to_prove(58, 1, 0.95) == 0 and chance_to_prove(59, 1, 0.95) == 1


@pytest.mark.parametrize(("n", "share", "floor"), [(300, 0.93, 0.9), (800, 0.96, 0.95), (60, 0.99, 0.95)])
def test_the_chance_is_that_of_draws(n, share, floor):
    hits = np.random.default_rng(0).binomial(n, share, 20_000)
    proven = np.mean(hits >= hits_to_prove(n, floor))
    assert chance_to_prove(n, share, floor) == pytest.approx(proven, abs=0.015)


def test_a_floor_at_the_truth_is_proven_in_one_case_of_twenty_at_most():
    assert all(chance_to_prove(n, 0.93, 0.93) <= 0.05 for n in range(10, 3000, 7))


def test_rows_and_shares_that_are_planned_give_the_power_that_was_asked_for():
    rows = rows_to_prove(0.95, 0.93)
    assert all(chance_to_prove(rows + more, 0.95, 0.93) >= 0.9 for more in range(60))
    share = share_to_prove(400, 0.9)
    assert chance_to_prove(400, share, 0.9) == pytest.approx(0.9, abs=1e-6)
    assert rows_to_prove(0.9, 0.9) is None and rows_to_prove(0.85, 0.9) is None


def test_sizes_and_floors_that_cannot_be():
    for n, floor in ((0, 0.9), (10, 0), (10, 1)):
        with pytest.raises(BadInputError):
            hits_to_prove(n, floor)
