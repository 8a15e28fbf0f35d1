import numpy as np
import pytest

from edgekd.distill.losses import oversampled_rows

REVIEWED = np.arange(1000) % 10 == 0


@pytest.mark.parametrize("times", [1, 3])
def test_every_row_is_shown_as_often_as_it_should(times):
    rows = oversampled_rows(REVIEWED, times, seed=0, epoch=0)
    assert np.bincount(rows, minlength=1000).tolist() == np.where(REVIEWED, times, 1).tolist()


def test_order_depends_on_seed_and_epoch_alone():
    first, again = (oversampled_rows(REVIEWED, 3, seed=1, epoch=2) for _ in range(2))
    assert (first == again).all()
    assert (first != np.sort(first)).any()
    for seed, epoch in ((2, 2), (1, 3), (2, 1)):
        assert (oversampled_rows(REVIEWED, 3, seed=seed, epoch=epoch) != first).any()
