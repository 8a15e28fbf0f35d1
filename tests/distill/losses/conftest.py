import pytest
import torch


@pytest.fixture(scope="session")
def near():
    """Equal to as many digits as a worked figure has."""
    return lambda value, digits: pytest.approx(value, abs=0.5 * 10**-digits + 1e-9)


@pytest.fixture
def message(golden):
    """The worked message: its figures, the teacher's and the student's logits, its class."""
    figures = golden["softmax_temperature"]
    teacher, student = (
        torch.tensor([figures[name]], dtype=torch.float64) for name in ("teacher_logits", "student_logits")
    )
    return figures, teacher, student, torch.tensor([0])
