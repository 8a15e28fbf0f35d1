import math

import pytest
import torch

from edgekd.distill.losses import number_cross_entropy, number_divergence, soft_divergence


def test_cross_entropy_is_least_where_the_number_is_met():
    numbers = torch.tensor([0.0, 0.25, 0.5, 1.0]).double()
    entropy = -(numbers.xlogy(numbers) + (1 - numbers).xlogy(1 - numbers))
    met = torch.logit(numbers, eps=1e-9)
    torch.testing.assert_close(number_cross_entropy(met, numbers), entropy, atol=1e-6, rtol=0)
    assert (number_cross_entropy(met + 0.3, numbers)[1:3] > entropy[1:3]).all()
    assert number_cross_entropy(torch.zeros(1), torch.tensor([0.3])).item() == pytest.approx(math.log(2))


def test_gradient_is_the_gap_and_none_without_a_number():
    logits = torch.tensor([8.0, -3.0, 0.0], requires_grad=True)
    numbers = torch.tensor([0.2, 0.9, math.nan])
    (gradient,) = torch.autograd.grad(number_cross_entropy(logits, numbers).sum(), logits)
    wanted = torch.sigmoid(logits.detach()) - numbers
    torch.testing.assert_close(gradient, torch.tensor([wanted[0], wanted[1], 0.0]))
    assert number_cross_entropy(logits, numbers)[2] == 0


def test_divergence_is_that_of_two_outcomes():
    student, teacher = torch.tensor([0.5, -2.0, 30.0]).double(), torch.tensor([1.5, 40.0, 30.0]).double()
    pairs = [torch.stack([logits, torch.zeros(3).double()], dim=1) for logits in (student, teacher)]
    torch.testing.assert_close(number_divergence(student, teacher), soft_divergence(*pairs, 1.0))
    assert number_divergence(student, student).abs().max() == 0
