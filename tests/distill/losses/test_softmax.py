import pytest
import torch

from edgekd.distill.losses import soften


@pytest.mark.parametrize("name", ["teacher_T1", "student_T1", "teacher_T4", "student_T4"])
def test_softmax_at_a_temperature(message, near, name):
    figures, teacher, student, _ = message
    logits = teacher if name.startswith("teacher") else student
    assert soften(logits, float(name[-1]))[0].tolist() == near(figures[name], 4)


def test_large_logits_do_not_overflow():
    assert soften(torch.tensor([1e5, 0.0]), 2.0).tolist() == [1.0, 0.0]
