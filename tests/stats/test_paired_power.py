from __future__ import annotations

import numpy as np
import pytest

from edgekd.errors import BadInputError
from edgekd.stats.paired import paired_drop_bound
from edgekd.stats.paired_power import chance_of_harm, chance_to_pass, rows_to_decide

SIZES = [*range(2, 200, 9), 250, 310, 450, 1000, 4500, 50_000]


@pytest.mark.parametrize("confidence", [0.95, 1 - 0.05 / 7, 1 - 0.05 / 77])
def test_no_bound_errs_more_often_than_it_says(confidence):
    """Exact, at every size and rate looked at: neither a wrong pass nor a false alarm."""
    wrong = [
        chance(n, margin + gained, gained, margin, confidence=confidence)
        for n in SIZES
        for margin in (0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2)
        for gained in (0, 0.001, 0.005, 0.01, 0.04, 0.2)
        for chance in (chance_to_pass, chance_of_harm)
    ]
    assert max(wrong) <= 1.005 * (1 - confidence)
    assert max(wrong) > 0.97 * (1 - confidence)


@pytest.mark.parametrize(
    ("n", "lost", "gained", "margin"),
    [(400, 0.03, 0.02, 0.04), (60, 0.02, 0.0, 0.1), (2000, 0.04, 0.01, 0.02), (300, 0.1, 0.0, 0.04)],
)
def test_the_chance_is_that_of_draws(n, lost, gained, margin):
    """20,000 draws judged by the bounds themselves agree with the exact chance."""
    draws = np.random.default_rng(1).multinomial(n, [lost, gained, 1 - lost - gained], 20_000)
    distinct, times = np.unique(draws[:, :2], axis=0, return_counts=True)
    bounds = np.array([paired_drop_bound(int(a), int(b), n) for a, b in distinct])
    passed = times[bounds[:, 1] <= margin].sum() / 20_000
    harmed = times[bounds[:, 0] > margin].sum() / 20_000
    assert passed == pytest.approx(chance_to_pass(n, lost, gained, margin), abs=0.013)
    assert harmed == pytest.approx(chance_of_harm(n, lost, gained, margin), abs=0.013)


@pytest.mark.parametrize(
    ("lost", "gained", "margin", "confidence"),
    [
        (0.01, 0.01, 0.015, 0.95),
        (0.03, 0.03, 0.03, 0.95),
        (0.002, 0.0, 0.03, 0.95),
        (0.05, 0.01, 0.02, 1 - 0.05 / 7),
        (0.09, 0.01, 0.04, 1 - 0.05 / 5),
    ],
)
def test_rows_to_decide_are_enough_from_there_on_and_few(lost, gained, margin, confidence):
    n = rows_to_decide(lost, gained, margin, confidence=confidence)
    chance = chance_to_pass if lost - gained < margin else chance_of_harm
    from_there = [chance(rows, lost, gained, margin, confidence=confidence) for rows in range(n, n + 400)]
    assert min(from_there) >= 0.9
    before = [
        chance(rows, lost, gained, margin, confidence=confidence) for rows in range(int(0.9 * n) - 9, n)
    ]
    assert min(before) < 0.91


@pytest.mark.parametrize("chance", [chance_to_pass, chance_of_harm])
def test_fewer_than_two_rows_prove_nothing(chance):
    assert chance(1, 0.5, 0.1, 0.1) == chance(0, 0.5, 0.1, 0.1) == 0


def test_no_losses_need_the_rows_that_prove_it():
    n = rows_to_decide(0.0, 0.0, 0.03)
    assert paired_drop_bound(0, 0, n)[1] <= 0.03 < paired_drop_bound(0, 0, n - 1)[1]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ((1.2, 0.0, 0.03), "lost: expected a share"),
        ((0.6, 0.6, 0.03), "add up to 1"),
        ((0.04, 0.01, 0.03), "no number of rows"),
        ((0.01, 0.01, 0.0), "margin within"),
        ((float("nan"), 0.01, 0.03), "lost: expected a share"),
        ((0.03, 0.0, 0.030000001), "too near its margin"),
    ],
)
def test_rates_that_cannot_be_are_refused(asked, words):
    with pytest.raises(BadInputError, match=words):
        rows_to_decide(*asked)
