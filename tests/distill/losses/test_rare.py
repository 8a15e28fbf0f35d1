import pytest
import torch

from edgekd.distill.losses import (
    combined_loss,
    hard_cross_entropy,
    rare_class_loss,
    rare_class_penalty,
    soft_divergence,
    weighted_mean,
)

RARE = torch.tensor([2, 3])


def logits_of(*probabilities):
    return torch.log(torch.tensor(probabilities, dtype=torch.float64)).requires_grad_()


def test_by_hand():
    logits = logits_of([0.1, 0.1, 0.6, 0.2], [0.3, 0.3, 0.2, 0.2], [0.2, 0.1, 0.2, 0.5], [0.7, 0.1, 0.1, 0.1])
    classes = torch.tensor([2, 2, 3, 0])
    # class 2: 1 - (0.6 + 0.2) / 2; class 3: 1 - 0.5; a mean over rows would be (0.4 + 0.8 + 0.5) / 3
    penalty = rare_class_penalty(logits, classes, RARE)
    assert penalty.item() == pytest.approx((0.6 + 0.5) / 2)
    with_absent = rare_class_penalty(logits, classes, torch.tensor([1, 2, 3]))  # no row of class 1
    assert with_absent.item() == pytest.approx(penalty.item())
    (gradient,) = torch.autograd.grad(penalty, logits)
    assert (gradient[[0, 1, 2], classes[:3]] < 0).all() and (gradient[3] == 0).all()
    # The one row of class 3 weighs as much as both of class 2: d/dz of p is p (1 - p).
    assert gradient[2, 3].item() == pytest.approx(-0.5 * 0.5 / 2)
    assert gradient[0, 2].item() == pytest.approx(-0.6 * 0.4 / 2 / 2)


@pytest.mark.parametrize("labels", [[0, 1, -1], [-1, -1, -1], []])
def test_nothing_where_no_rare_class_is_in_the_batch(labels):
    logits = torch.randn(len(labels), 4, requires_grad=True)
    penalty = rare_class_penalty(logits, torch.tensor(labels, dtype=torch.int64), RARE)
    (gradient,) = torch.autograd.grad(penalty, logits)
    assert penalty.item() == 0.0 and (gradient == 0).all()


@pytest.mark.parametrize("cut", range(6))
def test_processes_add_up_to_the_whole(cut):
    logits = torch.randn(5, 4, generator=torch.Generator().manual_seed(cut)).double().requires_grad_()
    classes = torch.tensor([2, 3, 2, -1, 2])
    counts = (classes[:, None] == RARE).sum(dim=0)
    parts = [rare_class_penalty(logits[p], classes[p], RARE, counts) for p in (slice(cut), slice(cut, None))]
    whole = rare_class_penalty(logits, classes, RARE)
    assert (parts[0] + parts[1]).item() == pytest.approx(whole.item())
    (found,) = torch.autograd.grad(parts[0] + parts[1], logits)
    torch.testing.assert_close(found, torch.autograd.grad(whole, logits)[0])


@pytest.mark.parametrize("when", ["before", "after"])
def test_worked_weights(golden, message, when):
    weights = golden["rare_class_loss"][when]
    _, teacher, student, label = message
    hard, soft = hard_cross_entropy(student, label).mean(), soft_divergence(student, teacher, 4.0).mean()
    penalty = rare_class_penalty(student, label, torch.tensor([0]))
    ce, kd, rare = (weights[name] for name in ("ce", "kd", "rare_class_penalty"))
    total = rare_class_loss(hard, soft, penalty, ce_weight=ce, kd_weight=kd, penalty_weight=rare)
    wanted = ce * 0.7017 + kd * 0.117 + rare * (1 - 0.4958)
    assert total.item() == pytest.approx(wanted, abs=1e-4)
    each = combined_loss(student, teacher, label, alpha=kd, temperature=4.0)
    assert (total - rare * penalty).item() == pytest.approx(each.item())


def learn(features, classes, teacher, ce, kd, penalty):
    """Fit a linear student by gradient descent; returns what it answers."""
    weights = torch.zeros(features.shape[1], teacher.shape[1], requires_grad=True)
    optimizer = torch.optim.Adam([weights], lr=0.1)
    ones = torch.ones(len(classes))
    for _ in range(120):
        logits = features @ weights
        hard = weighted_mean(hard_cross_entropy(logits, classes), ones)
        soft = weighted_mean(soft_divergence(logits, teacher, 2.0), ones)
        rare = rare_class_penalty(logits, classes, torch.tensor([2]))
        loss = rare_class_loss(hard, soft, rare, ce_weight=ce, kd_weight=kd, penalty_weight=penalty)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return (features @ weights).argmax(dim=1)


def test_the_safer_loss_finds_the_rare_class_that_the_teacher_overlooks(golden):
    """As in the worked example: recall of the rare class rises by far more than accuracy falls.

    And it is the penalty that does it: its weight at 0, the other two weights leave recall where it was.
    """
    generator = torch.Generator().manual_seed(0)
    classes = torch.tensor([0] * 490 + [1] * 490 + [2] * 20)
    centres = torch.tensor([[1.5, 0.0], [-1.5, 0.0], [0.0, 2.5]])
    points = centres[classes] + torch.randn(1000, 2, generator=generator)
    features = torch.cat([points, torch.ones(1000, 1)], dim=1)
    teacher = points @ centres.T - torch.tensor([0.0, 0.0, 5.0])  # hardly ever says class 2
    before, after = (list(weights.values()) for weights in golden["rare_class_loss"].values())
    runs = [before, after, [*after[:2], 0.0]]
    answers = [learn(features, classes, teacher, *weights) for weights in runs]
    recall = [(a[classes == 2] == 2).float().mean().item() for a in answers]
    accuracy = [(a == classes).float().mean().item() for a in answers]
    assert recall[1] - recall[0] > 0.1, (recall, accuracy)
    assert accuracy[0] - accuracy[1] < 0.02, (recall, accuracy)
    assert recall[2] <= recall[0], recall
