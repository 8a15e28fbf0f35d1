"""Every worked figure of the losses, and their gradients against finite differences."""

import numpy as np
import pytest
import torch

from edgekd.distill.losses import (
    attention_mse,
    combined_loss,
    dominating_examples,
    hard_cross_entropy,
    hidden_mse,
    soft_divergence,
    soften,
)


def near(value, digits):
    return pytest.approx(value, abs=0.5 * 10**-digits + 1e-9)


@pytest.fixture
def case(golden):
    figures = golden["softmax_temperature"]
    teacher = torch.tensor([figures["teacher_logits"]], dtype=torch.float64)
    student = torch.tensor([figures["student_logits"]], dtype=torch.float64)
    return figures, teacher, student


@pytest.mark.parametrize("name", ["teacher_T1", "student_T1", "teacher_T4", "student_T4"])
def test_softmax_at_a_temperature(case, name):
    figures, teacher, student = case
    logits = teacher if name.startswith("teacher") else student
    assert soften(logits, float(name[-1]))[0].tolist() == near(figures[name], 4)


def test_losses(case, golden):
    _, teacher, student = case
    figures = golden["losses"]
    label = torch.tensor([0])
    assert hard_cross_entropy(student, label).item() == near(figures["hard_ce"], 4)
    assert soft_divergence(student, teacher, 4.0).item() / 16 == near(figures["kl_T4"], 6)
    assert soft_divergence(student, teacher, 4.0).item() == near(figures["kd_kl_t2_T4"], 3)
    for alpha, value in figures["combined"].items():
        loss = combined_loss(student, teacher, label, alpha=float(alpha), temperature=4.0)
        assert loss.item() == near(value, 4)
    certain = torch.log(torch.tensor([[0.9, 0.1]], dtype=torch.float64))
    assert hard_cross_entropy(certain, label).item() == near(figures["hard_ce_at_p_0.90"], 4)


def test_gradients(case, golden):
    _, teacher, student = case
    figures = golden["gradients"]
    student = student.clone().requires_grad_()
    hard_cross_entropy(student, torch.tensor([0])).sum().backward()
    assert student.grad[0].tolist() == near(figures["hard_T1"], 4)
    student.grad = None
    soft_divergence(student, teacher, 4.0).sum().backward()
    assert student.grad[0].tolist() == near(figures["autograd_of_kd_kl_t2"], 4)
    difference = (soften(student, 4.0) - soften(teacher, 4.0))[0].detach()
    assert difference.tolist() == near(figures["soft_difference_T4"], 4)
    assert (16 * difference).tolist() == near(figures["soft_difference_times_T2"], 4)
    assert student.grad[0].tolist() == pytest.approx((4 * difference).tolist(), abs=1e-9)


@pytest.mark.parametrize("labels", [[0, 2], [-1, 1], [-1, -1]])
def test_autograd_agrees_with_finite_differences(labels):
    generator = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(2, 5, dtype=torch.float64, generator=generator) for _ in range(2))
    classes = torch.tensor(labels)

    def loss(z):
        return combined_loss(z, teacher, classes, alpha=0.7, temperature=3.0).mean()

    assert torch.autograd.gradcheck(loss, student.requires_grad_())


def test_batch_of_8(golden):
    figures = golden["batch_of_8"]
    alpha = figures["alpha"]
    hard, soft = np.array(figures["hard_ce"]), np.array(figures["kd_kl_t2"])
    assert hard.mean() == near(figures["mean_hard_ce"], 4) and soft.mean() == near(
        figures["mean_kd_kl_t2"], 4
    )
    each = (1 - alpha) * hard + alpha * soft
    assert each.tolist() == near(figures["combined_per_example"], 4)
    assert each.mean() == near(figures["loss"], 4)
    found = dominating_examples(torch.tensor(each)) + 1
    assert found.tolist() == figures["dominating_examples_1_based"]


def test_feature_matching(golden):
    figures = golden["feature_matching"]
    hidden = hidden_mse(
        torch.tensor(figures["student_hidden_projected"]), torch.tensor(figures["teacher_hidden"])
    )
    assert hidden.item() == near(figures["hidden_mse"], 3)
    maps = attention_mse(
        torch.tensor(figures["student_attention"]), torch.tensor(figures["teacher_attention"])
    )
    assert maps.item() == near(figures["attention_mse"], 5)


def test_an_unlabelled_example_has_only_the_soft_term(case):
    _, teacher, student = case
    alone = combined_loss(student, teacher, torch.tensor([-1]), alpha=0.2, temperature=4.0)
    assert alone.item() == pytest.approx(soft_divergence(student, teacher, 4.0).item())
