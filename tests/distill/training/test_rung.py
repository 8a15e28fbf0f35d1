from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from edgekd.config import Training
from edgekd.distill.examples import Session, Weighing
from edgekd.distill.learners.classify import Classify
from edgekd.distill.rung import Rung
from edgekd.distill.static import StaticNetwork
from edgekd.distill.training.draw import RowDraw
from edgekd.distill.training.examples import TokenizedExamples
from edgekd.distill.training.plan import TrainingPlan
from edgekd.distill.training.predict import predict
from edgekd.distill.training.rung import train_rung
from edgekd.distill.training.tokens import join_ids
from edgekd.errors import TrainingError

PLAN = TrainingPlan(
    Training(learning_rate=1e-2, batch=8), Classify(("a", "b", "c")), Session("intent", 0, 1), "small", "big"
)
FIRST = Rung(portion=30, start=0, end=5, branch=1, warmup=1)
SECOND = Rung(portion=30, start=5, end=10, branch=2, warmup=1)


def make_rows(count, seed):
    """Rows whose class is told by which third of the vocabulary their tokens come from."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 3, count)
    texts = [(20 * c + rng.integers(0, 20, rng.integers(1, 12))).tolist() for c in classes]
    taught = 4 * np.eye(3, dtype=np.float16)[classes]
    return TokenizedExamples(join_ids(texts), classes.astype(np.int64), taught)


ROWS = make_rows(100, 0)


def make_model():
    torch.manual_seed(0)
    return StaticNetwork(60, 64, 16, 16, 3)


def go(rung, folder, before=None):
    model = make_model()
    train_rung(model, ROWS, PLAN, rung, folder, before)
    return model


def states(folder):
    return {path.name: load_file(path) for path in folder.iterdir() if path.suffix != ".json"}


def test_a_rung_that_is_continued_has_the_bits_of_one_over_all_its_rows(tmp_path):
    go(FIRST, tmp_path / "first")
    continued = go(SECOND, tmp_path / "second", tmp_path / "first")
    whole = go(replace(SECOND, start=0), tmp_path / "whole")
    one, other = states(tmp_path / "second"), states(tmp_path / "whole")
    assert set(one) == set(other) == {"epoch-10.weights", "epoch-10.optimizer"}
    assert all(torch.equal(one[file][key], value) for file in other for key, value in other[file].items())
    ours, theirs = continued.state_dict(), whole.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_the_branch_moves_on_from_the_trunk_and_leaves_it_alone(tmp_path):
    model = go(FIRST, tmp_path / "first")
    trunk = load_file(tmp_path / "first" / "epoch-5.weights")
    assert not torch.equal(trunk["head.weight"], model.state_dict()["head.weight"])
    rows = make_rows(60, 1)
    found = predict(model, rows.tokens).argmax(axis=1)
    assert (found == rows.targets).mean() > 0.5
    assert (FIRST.rows_seen, FIRST.rows_shown, SECOND.rows_seen, SECOND.rows_shown) == (180, 180, 360, 210)


def test_a_rung_wants_the_trunk_that_it_goes_on_from(tmp_path):
    with pytest.raises(TrainingError, match="holds 0 portions, expected 5"):
        go(SECOND, tmp_path / "second", tmp_path / "nothing")


def test_portions_laid_end_to_end_show_every_row_once_a_pass():
    plan = replace(PLAN, portion=30)
    draw = RowDraw(plan, ROWS)
    drawn = np.concatenate([draw.draw(epoch, np.ones(100)) for epoch in range(10)])
    for number in range(3):
        assert sorted(drawn[100 * number : 100 * (number + 1)]) == list(range(100))
    assert (drawn[:100] != drawn[100:200]).any()
    reviewed = np.arange(100) < 10
    twice = RowDraw(replace(plan, weighing=Weighing(reviewed=reviewed, times=3)), ROWS)
    shown = np.concatenate([twice.draw(epoch, np.ones(100)) for epoch in range(4)])
    assert np.bincount(shown).tolist() == [3] * 10 + [1] * 90
