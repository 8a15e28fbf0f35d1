import torch

from edgekd.distill.losses import dominating_examples, persistent_examples


def test_over_one_and_a_half_times_the_mean():
    assert dominating_examples(torch.tensor([1.0, 1.0, 1.0, 3.1])).tolist() == [3]
    assert dominating_examples(torch.tensor([1.0, 1.0, 1.0, 1.6])).tolist() == []
    assert dominating_examples(torch.tensor([1.0, 1.0, 1.0, 1.6]), over=1.2).tolist() == [3]


def test_equal_losses_do_not_dominate():
    assert dominating_examples(torch.full((8,), 0.3)).tolist() == []


def test_persistent_over_epochs():
    epochs = [[7, 3], [3], [9, 7], [3, 7, 7]]
    assert list(persistent_examples(epochs, 2).items()) == [(3, 3), (7, 3)]
    assert persistent_examples(epochs, 1)[9] == 1
    assert persistent_examples(epochs, 4) == {}
