import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from edgekd.config import Training
from edgekd.distill.training.checkpoint import Progressed, load_best, load_checkpoint, save_checkpoint
from edgekd.distill.training.optimizer import StudentOptimizer


def make(frozen: bool = True):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    model[0].requires_grad_(not frozen)
    return model, StudentOptimizer(model, Training())


def step(model, optimizer, folder, state, is_best):
    model(torch.ones(3, 4)).square().sum().backward()
    optimizer.step(1e-2)
    state.epochs += 1
    state.best_epoch = state.epochs if is_best else state.best_epoch
    save_checkpoint(folder, model, optimizer, state, is_best)
    return model[1].weight.detach().clone()


def test_best_and_last_epoch_come_back_beside_frozen_weights(tmp_path):
    model, optimizer = make()
    first, state = model[0].weight.clone(), Progressed()
    best = step(model, optimizer, tmp_path, state, True)
    last = step(model, optimizer, tmp_path, state, False)
    assert {path.name for path in tmp_path.iterdir()} == {
        "epoch-1.best", "epoch-2.weights", "epoch-2.optimizer", "state.json"
    }  # fmt: skip
    assert load_file(tmp_path / "epoch-1.best").keys() == {"1.weight", "1.bias"}

    again, optimizer = make()
    state = load_checkpoint(tmp_path, again, optimizer)
    assert (state.epochs, state.best_epoch) == (2, 1)
    assert torch.equal(again[1].weight, last) and torch.equal(again[0].weight, first)
    load_best(tmp_path, again, state)
    assert torch.equal(again[1].weight, best) and not torch.equal(best, last)


def test_checkpoint_that_lacks_trained_weights_is_refused(tmp_path):
    model, optimizer = make()
    step(model, optimizer, tmp_path, state := Progressed(), True)
    with pytest.raises(RuntimeError, match=r"Missing key.*0\.weight"):
        load_best(tmp_path, make(frozen=False)[0], state)
