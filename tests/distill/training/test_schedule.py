import pytest
import torch

from edgekd.distill.training.features import FeatureTerms
from edgekd.distill.training.schedule import Schedule, StageWeights, features_first
from edgekd.errors import ConfigError


def test_sum_rule_of_a_step(golden):
    """(1 - alpha) * CE + alpha * KD is 0.2209; weights of the features make up the rest."""
    step = golden["step_log_example"]
    output = torch.tensor([0.3 * step["hard_ce"] + 0.7 * step["kd_kl_t2"]]).double()
    hidden, attention = (torch.tensor([step[name]]).double() for name in ("feature_mse", "attention_mse"))
    terms = FeatureTerms(hidden, attention, torch.zeros(1).double())
    total = StageWeights(output=1.0, hidden=0.4, attention=0.3375).total(output, terms)
    assert output.item() == pytest.approx(0.2209, abs=5e-5)
    assert total.item() == pytest.approx(output.item() + 0.4 * 0.071 + 0.3375 * 0.008)
    assert total.item() == pytest.approx(step["total_loss"], abs=5e-4)


def test_every_term_has_its_weight():
    one = torch.ones(2)
    terms = FeatureTerms(10 * one, 100 * one, 1000 * one)
    assert StageWeights(2.0, 3.0, 4.0, 5.0).total(one, terms).tolist() == [5432, 5432]
    assert StageWeights(2.0).total(one).tolist() == [2, 2]


def test_features_then_outputs():
    schedule = features_first(3)
    for epoch in range(3):
        weights = schedule.weights(epoch)
        assert weights.reads_features and weights == StageWeights(0.0, 1.0, 1.0, 1.0)
    for epoch in (3, 4, 50):
        assert schedule.weights(epoch) == StageWeights(1.0) and not schedule.weights(epoch).reads_features
    assert features_first(0).weights(0) == StageWeights(1.0)
    mixed = StageWeights(0.5, hidden=2.0)
    assert features_first(1, mixed).weights(0) == mixed


@pytest.mark.parametrize("starts", [[], [1], [0, 2, 2], [0, 3, 1]])
def test_stages_start_at_zero_and_then_later(starts):
    with pytest.raises(ConfigError, match="stages must start at epoch 0"):
        Schedule(tuple((start, StageWeights(1.0)) for start in starts))
