import numpy as np
import pytest

from edgekd.distill.training.skipping import skip_easy

DRAWN = np.arange(1000)
LOSSES = np.random.default_rng(0).exponential(1.0, 1000).astype(np.float32)  # over their mean
IS_EASY = LOSSES < 1


def test_only_easy_rows_are_left_out_and_so_many_of_them():
    kept, weights = skip_easy(DRAWN, LOSSES, 0.7, 0, 1)
    assert set(np.flatnonzero(~IS_EASY)) <= set(kept) and len(set(kept)) == len(kept)
    assert IS_EASY[kept].sum() == pytest.approx(0.3 * IS_EASY.sum(), rel=0.15)
    assert np.array_equal(weights == 1, ~IS_EASY) and weights[IS_EASY] == pytest.approx(1 / 0.3)


def test_on_average_every_row_counts_once():
    """So the gradient's expectation is that of all rows; 400 epochs, whose noise is 5 % a row."""
    counts = np.zeros(1000)
    for epoch in range(1, 401):
        kept, weights = skip_easy(DRAWN, LOSSES, 0.5, 0, epoch)
        counts[kept] += weights[kept] / 400
    assert counts.mean() == pytest.approx(1, abs=0.01) and np.abs(counts - 1).max() < 0.25
    assert (counts[~IS_EASY] == pytest.approx(1)) and counts[IS_EASY].std() > 0.01


def test_rows_that_are_drawn_several_times_stay_or_go_one_by_one():
    twice = np.r_[DRAWN, DRAWN]
    kept, _ = skip_easy(twice, LOSSES, 0.5, 0, 1)
    times = np.bincount(kept, minlength=1000)
    assert (times[~IS_EASY] == 2).all() and set(times[IS_EASY]) == {0, 1, 2}


def test_seed_and_epoch_decide():
    picks = [tuple(skip_easy(DRAWN, LOSSES, 0.5, *which)[0]) for which in ((0, 1), (0, 1), (0, 2), (1, 1))]
    assert picks[0] == picks[1] and len(set(picks)) == 3
