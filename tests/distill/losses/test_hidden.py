import torch

from edgekd.distill.losses import hidden_mse, weighted_mean


def test_worked_figure(golden, near):
    figures = golden["feature_matching"]
    student, teacher = (
        torch.tensor([figures[name]]) for name in ("student_hidden_projected", "teacher_hidden")
    )
    assert hidden_mse(student, teacher).item() == near(figures["hidden_mse"], 3)


def test_weighted_by_tokens_it_is_the_mean_over_all_real_tokens():
    student, teacher = torch.randn(2, 3, 4, 5).double()
    mask = torch.tensor([[1, 1, 1, 1], [1, 0, 0, 0], [1, 1, 0, 0]])
    wanted = (student - teacher)[mask.bool()].square().mean()
    found = weighted_mean(hidden_mse(student, teacher, mask), mask.sum(1).double())
    torch.testing.assert_close(found, wanted)
