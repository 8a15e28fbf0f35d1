import pytest
import torch

from edgekd.distill.losses import soft_divergence, soften


def test_worked_figures(message, golden, near):
    _, teacher, student, _ = message
    figures = golden["losses"]
    value = soft_divergence(student, teacher, 4.0).item()
    assert value / 16 == near(figures["kl_T4"], 6)
    assert value == near(figures["kd_kl_t2_T4"], 3)


def test_gradient_is_t_times_the_difference(message, golden, near):
    _, teacher, student, _ = message
    figures = golden["gradients"]
    student.requires_grad_()
    (gradient,) = torch.autograd.grad(soft_divergence(student, teacher, 4.0).sum(), student)
    difference = (soften(student, 4.0) - soften(teacher, 4.0)).detach()
    assert gradient[0].tolist() == near(figures["autograd_of_kd_kl_t2"], 4)
    assert difference[0].tolist() == near(figures["soft_difference_T4"], 4)
    assert (16 * difference)[0].tolist() == near(figures["soft_difference_times_T2"], 4)
    torch.testing.assert_close(gradient, 4 * difference)


def test_zero_where_both_say_the_same(message):
    _, teacher, _, _ = message
    assert soft_divergence(teacher + 3.0, teacher, 2.0).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_labels_left_out_are_as_if_they_were_not_there(dtype):
    student, teacher = torch.tensor([[1.0, 9e4, 300.0]]).to(dtype), torch.tensor([[2.0, -9e4, 0.5]]).to(dtype)
    student.requires_grad_()
    keep = torch.tensor([[True, False, True]])
    value = soft_divergence(student, teacher, 1.0, keep)
    wanted = soft_divergence(student[:, ::2], teacher[:, ::2], 1.0)
    torch.testing.assert_close(value, wanted)
    (gradient,) = torch.autograd.grad(value.sum(), student)
    assert gradient.isfinite().all() and gradient[0, 1] == 0 and gradient[0, 0] != 0
    nothing = soft_divergence(student, teacher, 1.0, torch.zeros(1, 3, dtype=torch.bool))
    assert nothing.item() == 0
