import torch

from edgekd.distill.losses import attention_mse, weighted_mean


def test_worked_figure(golden, near):
    figures = golden["feature_matching"]
    student, teacher = (torch.tensor([figures[name]]) for name in ("student_attention", "teacher_attention"))
    assert attention_mse(student, teacher).item() == near(figures["attention_mse"], 5)


def test_weighted_by_pairs_it_is_the_mean_over_all_real_pairs():
    student, teacher = torch.rand(2, 3, 2, 4, 4).double()
    mask = torch.tensor([[1, 1, 1, 1], [1, 0, 0, 0], [1, 1, 0, 0]])
    pairs = (mask[:, :, None] * mask[:, None, :])[:, None].expand(3, 2, 4, 4).bool()
    wanted = (student - teacher)[pairs].square().mean()
    found = weighted_mean(attention_mse(student, teacher, mask), mask.sum(1).double() ** 2)
    torch.testing.assert_close(found, wanted)
