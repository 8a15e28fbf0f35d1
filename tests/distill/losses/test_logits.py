import torch

from edgekd.distill.losses import logit_mse, soft_divergence


def test_worked_message(message, near):
    _, teacher, student, _ = message
    gap = student - teacher
    centred = gap - gap.mean()
    assert logit_mse(student, teacher).item() == near(centred.square().mean().item(), 9)


def test_it_is_twice_the_divergence_at_a_high_temperature(message):
    _, teacher, student, _ = message
    torch.testing.assert_close(
        2 * soft_divergence(student, teacher, 1e4), logit_mse(student, teacher), rtol=1e-3, atol=0
    )


def test_a_constant_on_all_logits_changes_nothing(message):
    _, teacher, student, _ = message
    torch.testing.assert_close(logit_mse(student + 3, teacher - 5), logit_mse(student, teacher))
