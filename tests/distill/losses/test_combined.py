import pytest
import torch

from edgekd.distill.losses import (
    combined_loss,
    dominating_examples,
    hard_cross_entropy,
    soft_divergence,
    weighted_mean,
)


@pytest.mark.parametrize("alpha", ["0.3", "0.5", "0.7"])
def test_worked_figures(message, golden, near, alpha):
    _, teacher, student, label = message
    loss = combined_loss(student, teacher, label, alpha=float(alpha), temperature=4.0)
    assert loss.item() == near(golden["losses"]["combined"][alpha], 4)


def logits_of(hard, soft, temperature):
    """Two-class logits whose hard and soft loss are the given figures, by bisection on the teacher."""
    student = torch.tensor([-torch.log(torch.expm1(torch.tensor(hard))).item(), 0.0]).double()
    low, high = student[0].item(), student[0].item() + 50
    for _ in range(80):
        middle = (low + high) / 2
        teacher = torch.tensor([middle, 0.0]).double()
        high, low = (middle, low) if soft_divergence(student, teacher, temperature) > soft else (high, middle)
    return student, teacher


def test_batch_of_8(golden, near):
    """From logits made to have the worked losses, through the very functions that training calls."""
    figures = golden["batch_of_8"]
    made = [logits_of(h, s, 4.0) for h, s in zip(figures["hard_ce"], figures["kd_kl_t2"], strict=True)]
    student, teacher = (torch.stack(part) for part in zip(*made, strict=True))
    classes = torch.zeros(8, dtype=torch.int64)
    hard, soft = hard_cross_entropy(student, classes), soft_divergence(student, teacher, 4.0)
    assert hard.mean().item() == near(figures["mean_hard_ce"], 4)
    assert soft.mean().item() == near(figures["mean_kd_kl_t2"], 4)
    each = combined_loss(student, teacher, classes, alpha=figures["alpha"], temperature=4.0)
    assert each.tolist() == near(figures["combined_per_example"], 4)
    assert weighted_mean(each, torch.ones_like(each)).item() == near(figures["loss"], 4)
    assert (dominating_examples(each) + 1).tolist() == figures["dominating_examples_1_based"]


def test_an_unlabelled_example_has_only_the_soft_term(message):
    _, teacher, student, _ = message
    wanted = soft_divergence(student, teacher, 4.0).item()
    for alpha in (0.2, torch.tensor([0.2]).double()):
        alone = combined_loss(student, teacher, torch.tensor([-1]), alpha=alpha, temperature=4.0)
        assert alone.item() == pytest.approx(wanted, rel=1e-12)


def test_alpha_an_example(message):
    _, teacher, student, _ = message
    student, teacher, classes = student.expand(3, 4), teacher.expand(3, 4), torch.tensor([0, 0, 0])
    alphas = torch.tensor([0.3, 0.5, 0.7]).double()
    each = combined_loss(student, teacher, classes, alpha=alphas, temperature=4.0)
    wanted = [
        combined_loss(student[:1], teacher[:1], classes[:1], alpha=a, temperature=4.0).item()
        for a in alphas.tolist()
    ]
    assert each.tolist() == pytest.approx(wanted)
    assert wanted == sorted(wanted, reverse=True)
