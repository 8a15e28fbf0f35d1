import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekd.config import Training
from edgekd.config.distillation import Checkpoint
from edgekd.distill.diagnosis.stop import Gate
from edgekd.distill.examples import Session, Weighing
from edgekd.distill.lean import make_lean
from edgekd.distill.learners.classify import Classify
from edgekd.distill.logs.training_events import EpochSummary, TrainStep
from edgekd.distill.static import StaticNetwork
from edgekd.distill.teacher import HeadedEncoder
from edgekd.distill.training.examples import TokenizedExamples
from edgekd.distill.training.limits import check_limits, list_limits
from edgekd.distill.training.plan import TrainingPlan
from edgekd.distill.training.predict import predict
from edgekd.distill.training.tokens import Tokens, length_batches
from edgekd.distill.training.train import train
from edgekd.errors import ConfigError, TrainingError

TRAINING = Training(epochs=3, learning_rate=5e-3, batch=8)
LEARNER = Classify(("a", "b", "c"), alpha=0.5, temperature=2.0)
PLAN = TrainingPlan(TRAINING, LEARNER, Session("intent", 0, 1), "small", "big")
SKIPPING = replace(PLAN, training=TRAINING.model_copy(update={"skip_easy": 0.5}))


def make_tokens(texts: list[list[int]]) -> Tokens:
    starts = np.cumsum([0, *map(len, texts)])
    return Tokens(np.array([i for text in texts for i in text], np.int32), starts.astype(np.int64))


def make_rows(count: int, seed: int, soft: bool = True) -> TokenizedExamples:
    """Rows whose class is told by which third of the vocabulary their tokens come from."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 3, count)
    texts = [list(20 * c + rng.integers(0, 20, rng.integers(1, 12))) for c in classes]
    logits = 2 * np.eye(3, dtype=np.float16)[classes] + rng.normal(0, 0.1, (count, 3)).astype(np.float16)
    taught = logits.astype(np.float16) if soft else None
    return TokenizedExamples(make_tokens(texts), classes.astype(np.int64), taught)


ROWS, VALIDATION = make_rows(200, 0), make_rows(40, 1)


def make_static() -> torch.nn.Module:
    torch.manual_seed(0)
    model = StaticNetwork(60, 64, 16, 16, 3)
    torch.nn.init.zeros_(model.pairs.weight)  # as a student starts
    return model


def make_bert() -> torch.nn.Module:
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    return HeadedEncoder(BertForSequenceClassification(BertConfig(vocab_size=60, num_labels=3, **shape)))


def make_lean_bert() -> torch.nn.Module:
    """As a student is trained: the table's gradient has the rows that were read."""
    return make_lean(make_bert().eval(), torch.arange(8).reshape(2, 4))


MAKERS = pytest.mark.parametrize("make", [make_static, make_bert])


def teach(model, folder, rows=ROWS, plan=PLAN, on_progress=lambda share, words: None):
    folder.mkdir(parents=True, exist_ok=True)
    return train(
        model, rows, VALIDATION, plan, folder, on_progress=on_progress
    )  # fmt: skip


def events_of(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / "logs" / "train.jsonl").read_text("utf-8").splitlines()]


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


class StopError(Exception):
    pass


def stop_at(share: float):
    def on_progress(done: float, words: str) -> None:
        if done >= share:
            raise StopError

    return on_progress


@MAKERS
@pytest.mark.parametrize(("share", "plan"), [(0.2, PLAN), (0.5, PLAN), (0.8, PLAN), (0.7, SKIPPING)])
def test_stopped_training_goes_on_to_the_same_bits(tmp_path, make, share, plan):
    undisturbed, stopped, resumed = make(), make(), make()
    state = teach(undisturbed, tmp_path / "whole", plan=plan)
    with pytest.raises(StopError):
        teach(stopped, tmp_path / "cut", plan=plan, on_progress=stop_at(share))
    seen = []
    again = teach(resumed, tmp_path / "cut", plan=plan, on_progress=lambda done, words: seen.append(done))
    assert same(undisturbed, resumed)
    assert again == state
    assert share < 1 / 3 or min(seen) > 1 / 3  # finished epochs are not run again
    summaries, steps = (
        [[e[key] for e in events_of(tmp_path / name) if e["event"] == event] for name in ("whole", "cut")]
        for event, key in (("kd_epoch_summary", "epoch"), ("kd_train_step", "global_step"))
    )
    assert summaries[0] == summaries[1] == [1, 2, 3]  # the log tells of each epoch once
    assert steps[0] == steps[1] and steps[0][:2] == [20, 40]
    assert (state.steps < 80) == (plan is SKIPPING)  # epochs after the first are shorter


@MAKERS
@pytest.mark.parametrize("plan", [PLAN, SKIPPING])
def test_a_kill_within_an_epoch_costs_what_came_after_the_last_checkpoint(tmp_path, make, plan):
    undisturbed, stopped, resumed = make(), make(), make()
    teach(undisturbed, tmp_path / "whole", plan=plan)
    often = replace(plan, session=replace(plan.session, checkpoint_seconds=1e-9))
    with pytest.raises(StopError):
        teach(stopped, tmp_path / "cut", plan=often, on_progress=stop_at(0.5))
    state = json.loads((tmp_path / "cut" / "_resume" / "state.json").read_text())
    assert state["place"]["batches"] > 2  # of an epoch that has not ended
    kept = {path.stem.partition("-")[0] for path in (tmp_path / "cut" / "_resume").glob("within-*")}
    assert kept == {"within"}
    seen = []
    teach(resumed, tmp_path / "cut", plan=often, on_progress=lambda done, words: seen.append(done))
    assert same(undisturbed, resumed) and not same(undisturbed, stopped)
    assert min(seen) >= 0.5 - 0.34
    logs = [
        [
            {k: v for k, v in e.items() if k not in ("time", "seconds", "throughput_samples_per_sec")}
            for e in log
        ]
        for log in (
            [e for e in events_of(tmp_path / name) if e["event"] != "training_system_profile"]
            for name in ("whole", "cut")
        )
    ]
    assert logs[0] == logs[1]  # every step, the epoch's own losses, rows that dominate
    assert not list((tmp_path / "cut" / "_resume").glob("within-*"))


def test_an_epoch_that_misses_a_limit_is_never_kept(tmp_path):
    free = teach(make_static(), tmp_path / "free")
    assert "checkpoint_promotable" not in free.history[0]
    errors = {e["epoch"]: e["calibration_ece"] for e in free.history}
    # The epoch that would be kept is the one that misses the limit.
    others = min(error for epoch, error in errors.items() if epoch != free.best_epoch)
    sense, limit = (">=", (others + errors[free.best_epoch]) / 2)
    if others < errors[free.best_epoch]:
        sense = "<="
    gates = (Gate("calibration_ece", sense, limit, "point"), Gate("val_accuracy", ">=", 0.1, "point"))
    bound = teach(make_static(), tmp_path / "bound", plan=replace(PLAN, limits=gates))
    found = {e["epoch"]: e["checkpoint_promotable"] for e in bound.history}
    assert not found[free.best_epoch] and found[bound.best_epoch] and bound.best_epoch != free.best_epoch
    assert [e["val_loss"] for e in bound.history] == [e["val_loss"] for e in free.history]
    summaries = [e for e in events_of(tmp_path / "bound") if e["event"] == "kd_epoch_summary"]
    assert [e["checkpoint_promotable"] for e in summaries] == list(found.values())


def test_a_training_without_an_epoch_that_holds_says_so(tmp_path):
    never = replace(PLAN, limits=(Gate("val_accuracy", ">=", 1.01, "point"),))
    with pytest.raises(
        TrainingError, match=r"small: no epoch holds distillation\.checkpoint.*val_accuracy 0"
    ):
        teach(make_static(), tmp_path / "never", plan=never)
    limits = list_limits(Checkpoint(at_least={"val_accuracy": 0.5}, at_most={"calibration_ec": 0.1}))
    assert [(limit.figure, limit.sense, limit.read) for limit in limits] == [
        ("val_accuracy", ">=", "point"), ("calibration_ec", "<=", "point")
    ]  # fmt: skip
    with pytest.raises(
        ConfigError, match=r"distillation\.checkpoint: unknown figure 'calibration_ec'.*val_loss"
    ):
        check_limits(limits, LEARNER, VALIDATION.targets)


def test_rows_may_bound_the_weight_of_the_teacher(tmp_path):
    """Bounded to nothing everywhere, the loss is that of labels alone."""
    none = Weighing(soft_at_most=np.zeros(200, np.float32))
    half = Weighing(soft_at_most=np.full(200, 0.5, np.float32))
    plans = {
        "hard": replace(PLAN, learner=replace(LEARNER, alpha=0.0)),
        "bound": replace(PLAN, learner=replace(LEARNER, alpha=0.9), weighing=none),
        "same": replace(PLAN, weighing=half),  # alpha is 0.5 anyway
        "plain": PLAN,
    }
    models = {name: make_static() for name in plans}
    for name, plan in plans.items():
        teach(models[name], tmp_path / name, plan=plan)
    assert same(models["hard"], models["bound"]) and same(models["same"], models["plain"])
    assert not same(models["hard"], models["plain"])


def test_stop_within_a_line_of_the_log_is_mended(tmp_path):
    with pytest.raises(StopError):
        teach(make_static(), tmp_path / "cut", on_progress=stop_at(0.7))
    with (tmp_path / "cut" / "_resume" / "train.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"version":1,"time":17952')
    teach(make_static(), tmp_path / "cut")
    assert [e["epoch"] for e in events_of(tmp_path / "cut") if "val_loss" in e] == [1, 2, 3]


@MAKERS
def test_seed_decides_order_and_dropout(tmp_path, make):
    models = [make() for _ in range(3)]
    for number, (model, seed) in enumerate(zip(models, (0, 0, 1), strict=True)):
        teach(model, tmp_path / str(number), plan=replace(PLAN, session=Session("intent", seed, 1)))
    assert same(models[0], models[1])
    assert not same(models[0], models[2])


def test_a_lean_encoder_drops_its_share_in_training_alone():
    model, states = make_lean_bert(), torch.ones(101, 403)
    model.dropout = 0.25
    assert model.eval()._drop(states) is states
    torch.manual_seed(0)
    dropped = model.train()._drop(states)
    assert (dropped == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)
    assert dropped.unique().tolist() == [0.0, pytest.approx(4 / 3)]
    torch.manual_seed(0)
    assert torch.equal(model._drop(states), dropped)


@MAKERS
@pytest.mark.parametrize("soft", [True, False])
def test_model_learns(tmp_path, make, soft):
    model = make()
    before = (predict(model, VALIDATION.tokens).argmax(1) == VALIDATION.targets).mean()
    state = teach(model, tmp_path / "run", make_rows(600, 0, soft))
    losses = [epoch["train_loss"] for epoch in state.history]
    assert losses[0] > losses[1] > losses[2]
    after = (predict(model, VALIDATION.tokens).argmax(1) == VALIDATION.targets).mean()
    assert before < 0.6 and after > 0.85
    assert after == state.history[state.best_epoch - 1]["val_accuracy"]
    assert not model.training


def test_weights_are_those_of_the_best_epoch(tmp_path):
    """A rate that ruins the model after a good epoch: the good one is kept."""
    model = make_static()
    training = Training(epochs=4, learning_rate=3.0, batch=8, warmup=0.6)
    state = teach(model, tmp_path / "run", plan=replace(PLAN, training=training))
    accuracies = [epoch["val_accuracy"] for epoch in state.history]
    assert state.best_epoch < 4 and max(accuracies) > accuracies[-1]
    found = (predict(model, VALIDATION.tokens).argmax(1) == VALIDATION.targets).mean()
    assert found == accuracies[state.best_epoch - 1] == max(accuracies)


def test_unlabelled_rows_learn_from_the_soft_term_alone(tmp_path):
    unlabelled = TokenizedExamples(ROWS.tokens, np.full(200, -1), ROWS.taught)
    models = {alpha: make_static() for alpha in (0.1, 0.9)}
    for alpha, model in models.items():
        teach(model, tmp_path / str(alpha), unlabelled, replace(PLAN, learner=replace(LEARNER, alpha=alpha)))
    assert same(models[0.1], models[0.9])
    steps = [e for e in events_of(tmp_path / "0.1") if e["event"] == "kd_train_step"]
    assert [e["hard_ce"] for e in steps] == [0.0] * len(steps)
    assert [e["total_loss"] for e in steps] == [e["kd_kl_t2"] for e in steps]
    labelled = {alpha: make_static() for alpha in (0.1, 0.9)}
    for alpha, model in labelled.items():
        teach(
            model, tmp_path / f"labelled {alpha}", ROWS, replace(PLAN, learner=replace(LEARNER, alpha=alpha))
        )
    assert not same(labelled[0.1], labelled[0.9])


def test_loss_is_mixed_as_it_says(tmp_path):
    teach(make_static(), tmp_path / "run")
    for event in events_of(tmp_path / "run"):
        kind = {"kd_train_step": TrainStep, "kd_epoch_summary": EpochSummary}.get(event["event"])
        if kind is None:
            continue
        kind.model_validate(event)
        if kind is TrainStep:
            mixed = 0.5 * event["hard_ce"] + 0.5 * event["kd_kl_t2"]
            assert event["total_loss"] == pytest.approx(mixed, rel=1e-5)


def test_rate_rises_then_falls(tmp_path):
    training = Training(epochs=8, learning_rate=1e-3, batch=8, warmup=0.5)
    teach(make_static(), tmp_path / "run", plan=replace(PLAN, training=training))
    rates = [e["lr"] for e in events_of(tmp_path / "run") if e["event"] == "kd_train_step"]
    assert len(rates) >= 10  # each twentieth step
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1]) and rates[top:] == sorted(rates[top:], reverse=True)
    assert abs(top - len(rates) / 2) <= 1 and max(rates) == pytest.approx(1e-3, rel=0.1) and rates[-1] < 1e-4


@MAKERS
def test_loss_that_is_not_finite_stops(tmp_path, make):
    training = Training(epochs=3, batch=8, warmup=0).model_copy(update={"learning_rate": 1e30})
    with pytest.raises(TrainingError, match=r"^small: loss is (nan|inf) at step \d+; lower training\.learn"):
        teach(make(), tmp_path / "run", plan=replace(PLAN, training=training))


@MAKERS
def test_prediction_does_not_depend_on_what_shares_its_batch(make):
    model = make()
    together = predict(model, VALIDATION.tokens)
    order = np.random.default_rng(0).permutation(len(VALIDATION.tokens))
    starts = VALIDATION.tokens.starts
    texts = [list(VALIDATION.tokens.ids[starts[i] : starts[i + 1]]) for i in order]
    assert predict(model, make_tokens(texts), batch=7) == pytest.approx(together[order], abs=0.05)
    with torch.inference_mode():
        alone = np.concatenate([model(torch.tensor([text])).numpy() for text in texts])
    assert together[order] == pytest.approx(alone, abs=0.05)  # bf16 where the CPU has it


texts_of_ids = st.lists(st.lists(st.integers(1, 99), min_size=1, max_size=20), min_size=1, max_size=50)


@given(
    texts=texts_of_ids,
    budget=st.integers(1, 200),
    seed=st.none() | st.integers(0, 9),
    least=st.integers(1, 4),
)
@settings(max_examples=200, deadline=None)
def test_batches_hold_each_row_once_and_padding_is_right(texts, budget, seed, least):
    tokens = make_tokens(texts)
    rng = None if seed is None else np.random.default_rng(seed)
    batches = list(length_batches(tokens.lengths, budget, rng, least))
    assert sorted(np.concatenate(batches)) == list(range(len(texts)))
    if least == 1:
        assert all(len(rows) == 1 or len(rows) * tokens.lengths[rows].max() <= budget for rows in batches)
    assert all(len(rows) >= min(least, len(texts)) for rows in batches)
    for rows in batches:
        ids, mask = tokens.padded(rows)
        width = max(len(texts[i]) for i in rows)
        assert ids.tolist() == [texts[i] + [0] * (width - len(texts[i])) for i in rows]
        assert mask.tolist() == [[1] * len(texts[i]) + [0] * (width - len(texts[i])) for i in rows]


def test_batches_are_of_like_length_and_random():
    lengths = np.random.default_rng(0).integers(1, 60, 500)
    plain = list(length_batches(lengths, 480))
    assert [lengths[rows].max() for rows in plain] == sorted(lengths[rows].max() for rows in plain)
    one, same_seed, other = (
        list(length_batches(lengths, 480, np.random.default_rng(seed))) for seed in (1, 1, 2)
    )
    assert all(np.array_equal(a, b) for a, b in zip(one, same_seed, strict=True))
    assert {tuple(sorted(rows)) for rows in one} != {tuple(sorted(rows)) for rows in other}
    waste = sum(len(rows) * lengths[rows].max() for rows in one) / lengths.sum()
    assert waste < 1.1  # against 2.0 in any order
    assert [lengths[rows].max() for rows in one] != sorted(lengths[rows].max() for rows in one)


@MAKERS
def test_a_step_in_pieces_is_the_same_step(tmp_path, make):
    models = [make().eval() for _ in range(2)]
    for model in models:
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
    states = []
    for model, pieces in zip(models, (1, 3), strict=True):
        training = Training(epochs=2, learning_rate=1e-3, batch=16, accumulate=pieces)
        states.append(teach(model, tmp_path / str(pieces), plan=replace(PLAN, training=training)))
    for one, other in zip(states[0].history, states[1].history, strict=True):
        assert one["train_loss"] == pytest.approx(other["train_loss"], rel=2e-3)


def test_weights_of_rows_count_as_copies_do(tmp_path):
    """In one batch a row of weight 2 moves the model as two equal rows do."""
    twice = np.r_[np.arange(40), np.arange(20)]
    starts = ROWS.tokens.starts
    texts = [list(ROWS.tokens.ids[starts[i] : starts[i + 1]]) for i in range(40)]
    weighted = TokenizedExamples(make_tokens(texts), ROWS.targets[:40], ROWS.taught[:40])
    weighing = Weighing(np.r_[np.full(20, 2), np.ones(20)].astype("f4"))
    copied = TokenizedExamples(
        make_tokens([texts[i] for i in twice]), ROWS.targets[twice], ROWS.taught[twice]
    )
    losses = []
    for number, (rows, how) in enumerate(((weighted, weighing), (copied, Weighing()))):
        training = Training(epochs=3, learning_rate=1e-3, batch=10_000)
        model = make_static()
        model.drop.p = 0.0
        state = teach(model, tmp_path / str(number), rows, replace(PLAN, training=training, weighing=how))
        losses.append([epoch["train_loss"] for epoch in state.history])
    assert losses[0] == pytest.approx(losses[1], rel=2e-3)


def without_dropout(make):
    model = make()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model


TOGETHER = """
import json, os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_train import SKIPPING, make_lean_bert, make_static, teach, without_dropout
from edgekd.distill.training import device
device.has_bf16 = lambda: False
for make in (make_static, make_lean_bert):
    state = teach(without_dropout(make), Path(sys.argv[1]) / make.__name__, plan=SKIPPING)
    if os.environ.get("RANK", "0") == "0":
        print(json.dumps([epoch["train_loss"] for epoch in state.history]))
"""


@pytest.mark.long
def test_two_processes_take_the_steps_of_one(tmp_path, monkeypatch):
    from edgekd.distill.training import device

    monkeypatch.setattr(device, "has_bf16", lambda: False)
    alone = []
    for make in (make_static, make_lean_bert):
        state = teach(without_dropout(make), tmp_path / make.__name__, plan=SKIPPING)
        alone.append([epoch["train_loss"] for epoch in state.history])
    script = tmp_path / "together.py"
    script.write_text(TOGETHER)
    folder = tmp_path / "together"
    folder.mkdir()
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [sys.executable, *launcher, str(script), str(folder), str(Path(__file__).parent)],
        capture_output=True, text=True, check=False, timeout=120, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    together = [json.loads(line) for line in done.stdout.splitlines()[-2:]]
    for one, two in zip(alone, together, strict=True):
        # Adam divides by the gradient's size, so that rounding grows from step to step.
        assert one[0] == pytest.approx(two[0], rel=2e-5)
        assert one == pytest.approx(two, rel=1e-3)
        assert one[0] > one[-1]
