import numpy as np
import pytest
import torch

from edgekd.distill.losses import list_divergence, margin_mse, score_mse, soft_divergence, soften
from edgekd.evaluate.rank.values import ndcg_at_10


@pytest.fixture
def scores(golden):
    figures = golden["reranker"]
    student, teacher = (
        torch.tensor([list(figures[name].values())]).double() for name in ("student_scores", "teacher_scores")
    )
    return student, teacher


def test_a_tiny_score_error_hides_a_swapped_top(golden, scores, near):
    figures = golden["reranker"]
    assert score_mse(*scores).item() == near(figures["score_mse"], 5)
    grades = np.array([list(figures["relevance"].values())], float)
    found = [float(ndcg_at_10(one.numpy(), grades)[0]) for one in scores]
    wanted = [figures[f"{who}_ndcg_at_4_exponential_gain"] for who in ("student", "teacher")]
    assert found == near(wanted, 4)
    assert found[0] < found[1]


def test_margins_by_hand(scores):
    student, teacher = scores
    ours, theirs = student[0, 0] - student[0, 1:], teacher[0, 0] - teacher[0, 1:]
    assert margin_mse(student, teacher).item() == pytest.approx(((ours - theirs) ** 2).mean().item())
    triple = margin_mse(student[:, :2], teacher[:, :2]).item()
    assert triple == pytest.approx(((0.90 - 0.92) - (0.94 - 0.91)) ** 2)


def test_only_differences_of_scores_count(scores):
    student, teacher = scores
    assert margin_mse(student, teacher + 5).item() == pytest.approx(margin_mse(student, teacher).item())
    assert margin_mse(teacher - 2, teacher).item() == pytest.approx(0, abs=1e-12)
    assert list_divergence(teacher - 2, teacher, 0.1).item() == pytest.approx(0, abs=1e-12)
    assert score_mse(student, teacher + 5).item() > 24


def test_a_query_with_one_candidate_has_no_margin():
    student = torch.tensor([[0.3]], requires_grad=True)
    value = margin_mse(student, torch.tensor([[0.9]]))
    assert value.item() == 0 and torch.autograd.grad(value.sum(), student)[0].item() == 0


def test_listwise_gradient_is_that_of_listnet(scores):
    """T times the difference of who is first, as of the cross-entropy times T^2."""
    student, teacher = scores
    student.requires_grad_()
    (gradient,) = torch.autograd.grad(list_divergence(student, teacher, 0.1).sum(), student)
    entropy = -(soften(teacher, 0.1) * torch.log(soften(student, 0.1))).sum() * 0.1**2
    torch.testing.assert_close(gradient, torch.autograd.grad(entropy, student)[0])
    torch.testing.assert_close(list_divergence(*scores, 0.1), soft_divergence(*scores, 0.1))
    assert gradient[0, 1] > 0 > gradient[0, 0]  # lowers B, raises A: back to the teacher's order
