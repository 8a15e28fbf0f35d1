import pytest
import torch
from torch.nn import functional as F

from edgekd.distill.losses import (
    response_cross_entropy,
    response_divergence,
    soft_divergence,
    weigh_by_origin,
    weighted_mean,
)


@pytest.fixture
def batch():
    """Two rows: a prompt of 2 and an answer of 5, a prompt of 3, an answer of 1 and padding."""
    generator = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(2, 2, 7, 11, dtype=torch.float64, generator=generator)
    words = torch.randint(0, 11, (2, 7), generator=generator)
    answer = torch.tensor([[0, 0, 1, 1, 1, 1, 1], [0, 0, 0, 1, 0, 0, 0]]).bool()
    return student, teacher, words, answer


def test_each_row_is_the_mean_over_its_own_answer(batch):
    student, teacher, words, answer = batch
    hard = response_cross_entropy(student, words, answer)
    soft = response_divergence(student, teacher, answer, 2.0)
    for row in range(2):
        own = answer[row]
        wanted = F.cross_entropy(student[row, own], words[row, own])
        assert hard[row].item() == pytest.approx(wanted.item())
        wanted = soft_divergence(student[row, own], teacher[row, own], 2.0).mean()
        assert soft[row].item() == pytest.approx(wanted.item())


def test_prompt_and_padding_are_not_learnt(batch):
    student, teacher, words, answer = batch
    student.requires_grad_()
    loss = response_cross_entropy(student, words, answer) + response_divergence(student, teacher, answer, 2.0)
    (gradient,) = torch.autograd.grad(loss.sum(), student)
    assert (gradient[~answer] == 0).all() and (gradient[answer] != 0).any(dim=-1).all()


def test_a_row_counts_by_its_weight_not_by_its_words(batch):
    student, _, words, answer = batch
    weights = torch.from_numpy(weigh_by_origin(["teacher", "refusal_or_escalation"])).double()
    each = response_cross_entropy(student, words, answer)
    wanted = (each[0] + 2 * each[1]) / 3
    assert weighted_mean(each, weights).item() == pytest.approx(wanted.item())
