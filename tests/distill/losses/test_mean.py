import pytest
import torch

from edgekd.distill.losses import weighted_mean


def test_by_hand():
    losses, weights = torch.tensor([1.0, 2.0, 6.0]), torch.tensor([1.0, 3.0, 0.0])
    assert weighted_mean(losses, weights).item() == 1.75
    assert weighted_mean(losses, weights, 14.0).item() == 0.5
    assert weighted_mean(losses, torch.ones(3)).item() == losses.mean().item()


def test_nothing_weighs_nothing():
    losses = torch.tensor([1.0, 2.0], requires_grad=True)
    mean = weighted_mean(losses, torch.zeros(2))
    (gradient,) = torch.autograd.grad(mean, losses)
    assert mean.item() == 0 and gradient.tolist() == [0, 0]


def test_a_process_without_rows_adds_nothing():
    none = torch.zeros(0)
    assert weighted_mean(none, none).item() == 0
    assert weighted_mean(none, none, torch.tensor(5.0)).item() == 0


def test_shapes_must_match():
    with pytest.raises(Exception, match="Type-check error"):
        weighted_mean(torch.zeros(2), torch.zeros(3))
