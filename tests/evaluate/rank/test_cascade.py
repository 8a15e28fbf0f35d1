"""How many candidates the second of two models must read."""

import numpy as np

from edgekd.evaluate.rank.cascade import LEAST, PROVEN, TRIED, choose_keep, join_tables
from edgekd.evaluate.rank.values import in_order, ndcg_at_10

RNG = np.random.default_rng(4)
TRUTH = RNG.choice([0.0, 0, 0, 0, 1, 2], (300, 30)).astype(np.float32)
TRUTH[:, 20:][RNG.random((300, 10)) < 0.5] = np.nan  # not judged
TRUTH[::3, 25:] = -1  # fewer candidates
REAL = TRUTH != -1


def scores(noise):
    """Scores [row, place] that know the grades but for some noise; NaN where there is no candidate."""
    known = np.nan_to_num(TRUTH, nan=0.0) + noise * RNG.normal(size=TRUTH.shape)
    return np.where(REAL, known, np.nan).astype(np.float32)


def test_a_second_model_that_reads_all_has_the_last_word():
    first, second = scores(2.0), scores(0.5)
    assert np.array_equal(in_order(join_tables(first, second, 30), TRUTH), in_order(second, TRUTH))


def test_what_the_second_does_not_read_follows_in_the_order_of_the_first():
    first, second = scores(1.0), scores(0.5)
    joined = join_tables(first, second, 5)
    assert np.array_equal(np.isnan(joined), ~REAL)
    for row in range(len(first)):
        real = REAL[row]
        order, by_first = np.argsort(-joined[row, real], kind="stable"), np.argsort(-first[row, real])
        assert set(order[:5]) == set(by_first[:5])
        assert order[5:].tolist() == by_first[5:].tolist()


def test_the_smallest_number_that_is_proven_to_keep_the_quality_is_chosen():
    first, second = scores(0.8), scores(0.3)
    keep = choose_keep(first, second, TRUTH)
    whole = ndcg_at_10(second, TRUTH)
    kept = {number: ndcg_at_10(join_tables(first, second, number), TRUTH) for number in TRIED}
    by_mean = [number for number in TRIED if np.nanmean(kept[number]) >= LEAST * np.nanmean(whole) - 1e-3]
    assert by_mean[0] <= keep < 30
    lost = kept[keep] - PROVEN * whole
    assert np.nanmean(lost) > 1.6 * np.nanstd(lost) / np.sqrt((~np.isnan(lost)).sum())


def test_rows_that_are_too_few_for_a_proof_keep_as_many_as_still_save():
    first, second = scores(0.8), scores(0.3)
    assert choose_keep(first[:8], second[:8], TRUTH[:8]) == 24  # of 30; 32 would read them all


def test_a_first_model_as_good_needs_hardly_any():
    second = scores(0.3)
    assert choose_keep(second, second, TRUTH) == TRIED[0]


def test_more_candidates_than_are_tried_of_a_first_model_that_knows_nothing_are_none():
    truth = np.tile(TRUTH[:, :20], (1, 6))
    second = np.nan_to_num(truth, nan=0.0).astype(np.float32)
    assert choose_keep(-second, second, np.where(np.isnan(truth), 0, truth)) is None
