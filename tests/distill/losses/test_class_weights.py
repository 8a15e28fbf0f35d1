import numpy as np
import pytest

from edgekd.distill.losses import effective_number, inverse_frequency, weigh_by_class

COUNTS = np.array([5000, 500, 50, 0])


@pytest.mark.parametrize("weights", [inverse_frequency(COUNTS), effective_number(COUNTS, 0.999)])
def test_the_mean_over_rows_is_one(weights):
    assert (weights * COUNTS).sum() == pytest.approx(COUNTS.sum())
    assert weights[3] == 0 and weights[0] < weights[1] < weights[2]


def test_inverse_frequency_gives_classes_the_same_share():
    shares = (inverse_frequency(COUNTS) * COUNTS)[:3]
    assert shares.tolist() == pytest.approx([5550 / 3] * 3)


def test_effective_number_by_hand():
    weights = effective_number(COUNTS, 0.999)
    assert weights[2] / weights[0] == pytest.approx((1 - 0.999**5000) / (1 - 0.999**50))


def test_effective_number_goes_from_all_alike_to_the_inverse_frequency():
    assert effective_number(COUNTS, 0.0)[:3].tolist() == pytest.approx([1, 1, 1])
    nearly_one = effective_number(COUNTS, 1 - 1e-12)
    np.testing.assert_allclose(nearly_one, inverse_frequency(COUNTS), rtol=1e-6)


def test_weights_of_rows():
    weights = weigh_by_class(inverse_frequency(np.array([90, 10])), np.array([1, -1, 0]))
    assert weights.tolist() == pytest.approx([5.0, 1.0, 0.5555556])
    assert weights.dtype == np.float32
