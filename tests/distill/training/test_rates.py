import pytest

from edgekd.config import Training
from edgekd.distill.training.rates import LINEAR, Steady

TRAINING = Training(epochs=4, learning_rate=0.1, warmup=0.25)


def test_linear_rises_over_the_warm_up_and_falls_to_nothing():
    assert [LINEAR.at(TRAINING, passes) for passes in (0, 0.5, 1, 2.5, 4)] == pytest.approx(
        [0, 0.05, 0.1, 0.05, 0]
    )
    assert LINEAR.at(TRAINING.model_copy(update={"warmup": 0.0}), 1) == pytest.approx(0.075)


def test_a_steady_rate_falls_in_its_branch_alone():
    rates = Steady(warmup=2, decay_from=10, decay_to=14)
    assert [rates.at(TRAINING, passes) for passes in (0, 1, 2, 9.5, 10, 11, 14)] == pytest.approx(
        [0, 0.05, 0.1, 0.1, 0.1, 0.05, 0]
    )
    later = Steady(warmup=2, decay_from=20, decay_to=24)
    assert all(rates.at(TRAINING, p) == later.at(TRAINING, p) for p in (0, 0.5, 3, 10))
    assert Steady(0, 1, 2).at(TRAINING, 0) == 0.1
