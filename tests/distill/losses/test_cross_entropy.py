import pytest
import torch

from edgekd.distill.losses import hard_cross_entropy


def test_worked_figures(message, golden, near):
    _, _, student, label = message
    figures = golden["losses"]
    assert hard_cross_entropy(student, label).item() == near(figures["hard_ce"], 4)
    certain = torch.log(torch.tensor([[0.9, 0.1]], dtype=torch.float64))
    assert hard_cross_entropy(certain, label).item() == near(figures["hard_ce_at_p_0.90"], 4)


def test_gradient(message, golden, near):
    _, _, student, label = message
    student.requires_grad_()
    (gradient,) = torch.autograd.grad(hard_cross_entropy(student, label).sum(), student)
    assert gradient[0].tolist() == near(golden["gradients"]["hard_T1"], 4)


def test_without_a_label_there_is_nothing_to_learn():
    logits = torch.randn(2, 3, 4, requires_grad=True)
    classes = torch.tensor([[0, -1, 2], [3, -1, 1]])
    values = hard_cross_entropy(logits, classes)
    (gradient,) = torch.autograd.grad(values.sum(), logits)
    assert values.shape == classes.shape and (values[:, 1] == 0).all() and (values[:, ::2] > 0).all()
    assert (gradient[:, 1] == 0).all() and (gradient[:, ::2] != 0).all()
    assert values[1, 2].item() == pytest.approx(hard_cross_entropy(logits[1, 2], classes[1, 2]).item())
