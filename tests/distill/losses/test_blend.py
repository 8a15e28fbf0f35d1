import torch

from edgekd.distill.losses import blend_by_class, combined_loss, soft_divergence


def test_alpha_of_each_class():
    hard, soft = torch.tensor([3.0, 1.0, 0.0]), torch.tensor([1.0, 1.0, 2.0])
    alpha = blend_by_class(torch.tensor([[0, 1], [2, -1]]), hard, soft)
    assert alpha.tolist() == [[0.25, 0.5], [1.0, 1.0]]


def test_without_a_label_the_last_class_is_not_read():
    alpha = blend_by_class(torch.tensor([-1, 1]), torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0]))
    assert alpha.tolist() == [1.0, 0.0]


def test_unlabelled_rows_learn_from_the_teacher_alone(message):
    _, teacher, student, _ = message
    hard, soft = torch.ones(4).double(), torch.zeros(4).double()
    classes = torch.tensor([-1])
    loss = combined_loss(
        student, teacher, classes, alpha=blend_by_class(classes, hard, soft), temperature=4.0
    )
    torch.testing.assert_close(loss, soft_divergence(student, teacher, 4.0))
