import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from edgekd.distill.losses import relation_divergence
from edgekd.errors import ConfigError


def by_hand(student, teacher, heads, length):
    """One row, one pair of head and query at a time, from the paper's formula."""
    total = 0.0
    for head in range(heads):
        logs = []
        for x in (student, teacher):
            d = x.shape[1] // heads
            part = x[:length, head * d : (head + 1) * d]
            logs.append(log_softmax(part @ part.T / np.sqrt(d), axis=1))
        total += (np.exp(logs[1]) * (logs[1] - logs[0])).sum()
    return total / heads / length


@pytest.mark.parametrize("heads", [1, 2, 6])
def test_unlike_widths_by_hand(heads):
    generator = torch.Generator().manual_seed(heads)
    student = torch.randn(2, 5, 6, dtype=torch.float64, generator=generator)
    teacher = torch.randn(2, 5, 18, dtype=torch.float64, generator=generator)
    mask = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
    found = relation_divergence(student, teacher, heads, mask)
    wanted = [by_hand(student[i].numpy(), teacher[i].numpy(), heads, n) for i, n in enumerate((3, 5))]
    assert found.tolist() == pytest.approx(wanted)


def test_turned_axes_are_the_same_relations():
    """What is matched is how tokens relate, not on which axes: no projection is needed."""
    teacher = torch.randn(1, 4, 6).double()
    turn = torch.linalg.qr(torch.randn(6, 6).double()).Q
    assert relation_divergence(teacher @ turn, teacher, 1).item() == pytest.approx(0, abs=1e-12)
    assert relation_divergence(teacher @ turn, teacher, 2).item() > 1e-3


def test_heads_must_divide_both_widths():
    with pytest.raises(ConfigError, match="4 relation heads do not divide a width of 6"):
        relation_divergence(torch.zeros(1, 2, 4), torch.zeros(1, 2, 6), 4)
