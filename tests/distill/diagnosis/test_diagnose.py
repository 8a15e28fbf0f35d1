import re
import shlex
from dataclasses import replace

import click
import numpy as np
import pytest
import torch

from edgekd.cli.main import cli
from edgekd.config import Distillation, FeatureStage, Training, load_project
from edgekd.distill.diagnosis.diagnose import diagnose
from edgekd.distill.diagnosis.finding import Setup
from edgekd.distill.diagnosis.history import History, make_history, trend
from edgekd.distill.examples import Session
from edgekd.distill.learners.classify import Classify
from edgekd.distill.logs.dominating import DominatingRows
from edgekd.distill.logs.events import read_events
from edgekd.distill.logs.live_events import ShadowCompare
from edgekd.distill.logs.profile import StageClock
from edgekd.distill.logs.training_events import TrainStep
from edgekd.distill.static import StaticNetwork
from edgekd.distill.training.examples import TokenizedExamples
from edgekd.distill.training.plan import TrainingPlan
from edgekd.distill.training.tokens import Tokens
from edgekd.distill.training.train import train
from edgekd.pipeline.diagnosing import diagnose_run

PROJECT = """\
name: small
data: {source: mangaassist}
slices: [{name: overall, margin: 1}]
students: [static-256, {model: cut-2l, training: {epochs: 5, batch: 16}}]
targets: [lambda-x86]
"""
SETUP = Setup(
    "project.yaml", "students.0", Training(epochs=6, learning_rate=2e-3, batch=128), Distillation(),
    "cut-3l", ({"model": "cut-2l"},),
)  # fmt: skip


@pytest.fixture
def history_of(epochs_of):
    """Make a history from columns; accuracy and a soft loss are there unless given."""

    def make(**columns) -> History:
        return History("small", "big", "intent", epochs_of(**columns))

    return make


def names(history, setup=SETUP, others=()) -> list[str]:
    return [finding.name for finding in diagnose(history, setup, others)]


def found(history, name, setup=SETUP, others=()):
    (one,) = [finding for finding in diagnose(history, setup, others) if finding.name == name]
    return one


FALLING, RISING, FLAT = [1.0, 0.8, 0.6], [0.6, 0.7, 0.8], [0.6, 0.6, 0.6]

# Training loss, validation loss, hallucination rate or None, and what to do.
TRENDS = [
    (FALLING, FALLING, [0.06, 0.05, 0.04], "continue"),
    (FALLING, FALLING, FLAT, "continue"),
    (FALLING, FLAT, [0.05, 0.05, 0.05], "prepare to stop"),
    (FLAT, FLAT, [0.05, 0.05, 0.05], "prepare to stop"),
    (FALLING, RISING, [0.04, 0.05, 0.06], "stop"),
    (FALLING, RISING, [0.05, 0.05, 0.05], "prepare to stop"),
    (FALLING, RISING, [0.06, 0.05, 0.04], "prepare to stop"),
    (FALLING, FALLING, None, "continue"),
    (FALLING, RISING, None, "stop"),
    (RISING, RISING, None, "lower the rate"),
]


@pytest.mark.parametrize(("train_loss", "val_loss", "bad", "name"), TRENDS)
def test_whether_to_go_on(history_of, train_loss, val_loss, bad, name):
    history = history_of(train_loss=train_loss, val_loss=val_loss, hallucination_rate=bad or [None] * 3)
    finding = diagnose(history, SETUP)[0]
    assert finding.name == name
    assert len(finding.evidence) >= (3 if bad else 2) and "epochs 1 to 3" in finding.evidence[0]


def test_worked_tables_read_epoch_by_epoch(response_epochs, promotion_epochs):
    """Both go on up to their best epoch 4 and end with stop."""

    def read(epochs):
        return [diagnose(History("small", "big", "respond", epochs[:n]), SETUP)[0].name for n in range(2, 7)]

    assert read(response_epochs) == ["continue", "continue", "continue", "continue", "stop"]
    assert read(promotion_epochs) == ["continue", "continue", "continue", "stop", "stop"]
    stop = diagnose(History("small", "big", "respond", response_epochs), SETUP)[0]
    assert "copies the teacher's style" in stop.what and "keep epoch 4" in stop.advice
    assert "hallucination rate rises (0.039 to 0.041, epochs 4 to 6)" in stop.evidence


def test_an_error_rate_within_chance_is_flat(history_of):
    columns = {"train_loss": FALLING, "val_loss": RISING, "val_accuracy": [0.9, 0.9, 0.89]}
    assert names(history_of(**columns, val_rows=[100_000] * 3))[0] == "stop"
    assert names(history_of(**columns, val_rows=[40] * 3))[0] == "prepare to stop"


def test_one_epoch_says_nothing(history_of):
    assert diagnose(history_of(val_accuracy=[0.5]), SETUP) == ()


# Hard cross-entropy and soft loss of the last epochs, and what they say.
BALANCE = [
    ([0.9, 0.8], [0.12, 0.11], "raise hard weight"),
    ([0.1, 0.1], [0.9, 0.8], "raise alpha or temperature"),
    ([0.3, 0.3], [0.3, 0.3], None),
    ([0.9, 0.4], [0.1, 0.1], None),  # on its way
    ([0.9] * 4, [0.9] * 4, "larger student or better data"),
    ([0.9] * 3, [0.9] * 3, None),  # not many epochs yet
    ([1.8, 1.4, 1.1, 0.8], [1.8, 1.4, 1.1, 0.8], None),  # still falling fast
    ([0.9] * 4, [0.0] * 4, None),  # a teacher, on labels alone
]


@pytest.mark.parametrize(("hard", "soft", "name"), BALANCE)
def test_parts_of_the_loss(history_of, hard, soft, name):
    columns = {"train_hard_ce": hard, "train_kd_kl_t2": soft, "val_accuracy": [0.9] * len(hard)}
    parts = {"raise hard weight", "raise alpha or temperature", "larger student or better data"}
    assert parts & set(names(history_of(**columns))) == ({name} if name else set())


def test_findings_do_not_contradict_each_other(history_of):
    """Whatever the parts of the loss do beside the trends: one answer to whether to go on, and how."""
    longer, end = {"continue", "structure is still learned"}, {"prepare to stop", "stop", "loss rule"}
    otherwise = {name for *_, name in [*BALANCE, *FEATURES] if name} - longer
    seen = set()
    for train_loss, val_loss, bad, _ in TRENDS:
        for hard, soft, _ in BALANCE:
            columns = {"train_loss": train_loss, "val_loss": val_loss, "val_accuracy": [0.9] * 3}
            columns |= {"hallucination_rate": bad or [None] * 3}
            columns |= {"train_hard_ce": (hard * 3)[-3:], "train_kd_kl_t2": (soft * 3)[-3:]}
            columns |= {"train_feature_mse": [0.09, 0.08, 0.07], "train_attention_mse": [0.03] * 3}
            findings = diagnose(history_of(**columns), SETUP)
            given = {finding.name for finding in findings}
            seen |= given
            assert not (given & longer and given & end)
            assert not (given & otherwise and given & end)
            if given & end:
                epochs = [
                    int(n) for f in findings for c in f.commands for n in re.findall(r"epochs: (\d+)", c)
                ]
                assert all(n <= SETUP.training.epochs for n in epochs)
    assert {"prepare to stop", "stop", "continue", "raise hard weight", "lower the rate"} <= seen


def test_what_holds_a_plateau_back_is_said_with_its_figures(history_of):
    columns = {"train_loss": FALLING, "val_loss": FLAT, "val_accuracy": [0.9] * 3}
    columns |= {"train_hard_ce": [0.9] * 3, "train_kd_kl_t2": [0.1] * 3}
    finding = found(history_of(**columns), "raise hard weight")
    assert "prepare to stop" not in names(history_of(**columns))
    assert any(words.startswith("validation loss is flat") for words in finding.evidence)
    assert finding.advice == "more weight on labels" and len(finding.commands) == 1


def test_a_command_keeps_the_settings_that_it_does_not_change():
    own = ("teacher.model=mine", "students.0.training.epochs=2", "distillation.alpha=0.9")
    setup = replace(SETUP, settings=own)
    words = shlex.split(setup.command(distillation__alpha=0.7))
    assert [word for word in words if "=" in word] == [own[0], own[1], "distillation.alpha=0.7"]
    words = shlex.split(setup.retrain(epochs=9))
    assert [word.partition("=")[0] for word in words if "=" in word] == [
        "teacher.model", "distillation.alpha", "students.0.training",
    ]  # fmt: skip


def test_worked_batch_asks_for_more_hard_weight(golden, history_of):
    batch = golden["batch_of_8"]
    columns = {"train_hard_ce": [batch["mean_hard_ce"]] * 2, "train_kd_kl_t2": [batch["mean_kd_kl_t2"]] * 2}
    setup = replace(SETUP, distillation=Distillation(alpha=batch["alpha"]))
    finding = found(history_of(**columns), "raise hard weight", setup)
    assert finding.commands[0] == "edgekd run project.yaml --set distillation.alpha=0.5"
    assert "0.618, 0.618 (epochs 1 to 2)" in finding.evidence[0]


# Hard cross-entropy, feature and attention losses, and what they say.
FEATURES = [
    ([0.4] * 3, [0.09, 0.08, 0.07], [0.03] * 3, "structure is still learned"),
    ([0.4, 0.44, 0.4, 0.44], [0.07] * 4, [0.03] * 4, "at its capacity"),
    ([0.5, 0.45, 0.4], [0.071] * 3, [0.008] * 3, "hidden states lag"),
    ([0.5, 0.45, 0.4], [0.2, 0.12, 0.071], [0.008] * 3, None),  # they come
    ([0.5, 0.45, 0.4], [0.02] * 3, [0.008] * 3, None),
    ([0.4] * 3, [None] * 3, [None] * 3, None),
]


def features(history_of, hard, hidden, maps) -> History:
    soft = [0.3] * len(hard)
    return history_of(
        train_hard_ce=hard, train_kd_kl_t2=soft, train_feature_mse=hidden, train_attention_mse=maps
    )


@pytest.mark.parametrize(("hard", "hidden", "maps", "name"), FEATURES)
def test_feature_losses(history_of, hard, hidden, maps, name):
    history = features(history_of, hard, hidden, maps)
    assert {case[3] for case in FEATURES} & set(names(history)) == ({name} if name else set())


def live(slice_name: str, match: float, n: int = 500, recall: tuple[float, float] = (0.93, 0.93)):
    return ShadowCompare(
        slice=slice_name, teacher_preference_match=match, baseline_escalation_recall=recall[0],
        policy_escalation_recall=recall[1], n=n,
    )  # fmt: skip


def test_good_offline_and_poor_online_is_the_gates_matter(golden, history_of):
    worked = golden["offline_against_shadow"]
    offline, shadow = worked["teacher_preference_match"]
    history = history_of(teacher_preference_match=[0.8, offline], val_loss=[1.0, 0.8])
    events = (live("mobile", shadow, recall=tuple(worked["escalation_recall"])), live("web", offline - 0.01))
    finding = found(replace(history, shadow=events), "fix the gates")
    assert "slice mobile (500 rows): teacher match 0.880 offline, 0.790 in the shadow" in finding.evidence
    assert "escalation recall 0.810, the baseline's 0.930" in finding.evidence[1]
    assert len(finding.evidence) == 2 and "for mobile to" in finding.advice
    assert "fix the gates" not in names(replace(history, shadow=(live("web", offline - 0.01),)))


def test_people_who_prefer_the_base_are_the_gates_matter(history_of):
    poor = history_of(val_loss=[2.0, 1.0], human_win_rate_vs_base=[0.4, 0.45])
    assert "win rate 0.450" in found(poor, "fix the gates").evidence[0]
    assert "fix the gates" not in names(history_of(val_loss=[2.0, 1.0], human_win_rate_vs_base=[0.4, 0.55]))


def test_rules_that_fire_are_named(promotion_epochs, history_of):
    finding = found(History("small", "big", "respond", promotion_epochs), "loss and safety rule")
    assert len(finding.evidence) == 2 and finding.commands == ("edgekd gate project.yaml",)
    assert "business rule" in names(history_of(val_loss=[1, 0.5], checkpoint_promotable=[False, False]))


def test_what_starves_the_training_is_named(history_of):
    now = 0
    clock = StageClock(lambda: now, lambda: 0)
    for phase, seconds in (("input", 4), ("student", 6)):
        clock.switch(phase)
        now += seconds * 10**9
    profile = clock.profile("small", 2, threads=1)
    finding = found(replace(history_of(val_loss=[1, 0.5]), profiles=(profile,)), "starved")
    assert finding.what == "40 % of the time is waiting for input" and "batch: 256" in finding.commands[0]


def test_dominating_examples_are_shown_with_what_they_are(history_of):
    rows = DominatingRows(4)
    for _ in range(2):
        rows.record(np.arange(4), np.array([9.0, 0, 0, 8]))
        rows.end_epoch()
    teacher = np.array([[0, 1], [1, 0], [1, 0], [1, 0]], dtype=np.float16)

    def describe(shown):
        return Classify(("a", "b")).describe(np.zeros(len(shown), np.int64), teacher[shown])

    event = rows.event("small", 2, ["where", "", "", "refund"], describe)
    assert event.count == 2
    finding = found(replace(history_of(val_loss=[1, 0.5]), dominating=event), "dominating examples")
    assert "row 0: 'where', class a, teacher b, 2 of 2 epochs, mean loss 9.00" in finding.evidence[0]
    assert "label and teacher differ on 1 of the 2 worst" in finding.evidence[-1]


def test_copies_that_were_made_are_no_wrong_labels(history_of):
    rows = DominatingRows(60)
    for _ in range(2):
        rows.record(np.arange(60), np.array([9.0] * 24 + [8.0] + [0.0] * 35))
        rows.end_epoch()

    def describe(shown):
        return Classify(("a", "b")).describe(np.where(shown < 24, -1, 1), None)

    event = rows.event("small", 2, [*["wheer"] * 24, "refund", *[""] * 35], describe)
    assert event.count == 25 and event.examples[0].text == "refund"
    finding = found(replace(history_of(val_loss=[1, 0.5]), dominating=event), "dominating examples")
    assert "row 24: 'refund', class b" in finding.evidence[0]
    assert not any("wheer" in words for words in finding.evidence)
    only = event.model_copy(update={"examples": event.examples[1:]})
    assert "dominating examples" not in names(replace(history_of(val_loss=[1, 0.5]), dominating=only))


def test_steps_stand_in_for_what_a_summary_lacks(epochs_of):
    """Not for the hard loss: a step counts rows without a label as 0."""
    step = TrainStep(
        task="intent", epoch=1, global_step=20, batch_size=8, hard_ce=0.1, kd_kl_t2=0.4, total_loss=1,
        grad_norm=1, lr=1, throughput_samples_per_sec=1,
    )  # fmt: skip
    later = step.model_copy(update={"kd_kl_t2": 0.2})
    unfinished = step.model_copy(update={"epoch": 3})
    history = make_history([step, later, *epochs_of(val_loss=[1, 0.5]), unfinished])
    assert history.series("train_kd_kl_t2") == ((1, pytest.approx(0.3)),) and history.is_distilled
    assert history.series("train_hard_ce") == () == history.series("train_feature_mse")
    assert make_history([step]) is None


def test_trend_needs_more_than_the_band():
    assert trend("x", ((1, 1.0), (2, 0.995))).moves == "is flat"
    assert trend("x", ((1, 1.0), (2, 0.98))).moves == "falls"
    assert trend("x", ((1, 1.0), (2, 1.0), (3, 2.0), (4, 2.0))).moves == "rises"  # two epochs back
    assert trend("x", ((1, 0.0), (2, 0.0))).moves == "is flat"
    assert trend("x", ((1, 1.0),)) is None


@pytest.fixture
def project(tmp_path):
    (tmp_path / "project.yaml").write_text(PROJECT, encoding="utf-8")
    return tmp_path / "project.yaml"


def test_every_command_can_be_run(project, history_of, response_epochs, promotion_epochs):
    """Each is parsed as the command line does it, and its settings make a project."""
    histories = [
        *(history_of(train_loss=t, val_loss=v) for t, v, _, _ in TRENDS),
        *(history_of(train_hard_ce=h, train_kd_kl_t2=s) for h, s, _ in BALANCE),
        *(features(history_of, *case[:3]) for case in FEATURES),
        *(History("small", "big", "respond", epochs) for epochs in (response_epochs, promotion_epochs)),
    ]  # fmt: skip
    setups = [
        replace(SETUP, project=str(project)),
        replace(SETUP, project=str(project), larger=None),
        replace(
            SETUP, project=str(project), place="teacher", distillation=Distillation(alpha=0), larger=None
        ),
        replace(SETUP, project=str(project), distillation=Distillation(alpha=1), training=Training()),
    ]
    commands = {c for h in histories for s in setups for f in diagnose(h, s) for c in f.commands}
    assert len(commands) > 15
    for command in commands:
        _, verb, *words = shlex.split(command)
        with click.Context(cli.commands[verb]) as context:
            cli.commands[verb].parse_args(context, words)
        load_project(project, context.params["settings"])


def test_a_command_keeps_the_training_it_does_not_change(project):
    command = replace(SETUP, project=str(project)).retrain(epochs=9)
    changed = load_project(project, shlex.split(command)[4:5])
    assert changed.students[0].training == SETUP.training.model_copy(update={"epochs": 9})


def make_rows(count: int, seed: int, wrong: float) -> TokenizedExamples:
    """Rows whose class is told by which third of the vocabulary their tokens come from; some labels lie."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 3, count)
    texts = [20 * c + rng.integers(0, 20, rng.integers(2, 10)) for c in classes]
    tokens = Tokens(np.concatenate(texts).astype(np.int32), np.cumsum([0, *map(len, texts)]).astype(np.int64))
    lying = np.where(rng.random(count) < wrong, rng.integers(0, 3, count), classes)
    return TokenizedExamples(tokens, lying.astype(np.int64))


def learn(
    folder, rows: TokenizedExamples, validation: TokenizedExamples, epochs: int, rate: float
) -> History:
    torch.manual_seed(0)
    model = StaticNetwork(60, 64, 16, 16, 3)
    training = Training(epochs=epochs, learning_rate=rate, batch=16)
    plan = TrainingPlan(training, Classify(("a", "b", "c")), Session("intent", 0, 1), "small", "big")
    train(model, rows, validation, plan, folder)
    return make_history(read_events(folder / "logs" / "train.jsonl"))


def test_real_training_that_still_learns_goes_on(tmp_path):
    history = learn(tmp_path, make_rows(200, 0, 0.0), make_rows(60, 1, 0.0), 3, 2e-3)
    finding = diagnose(history, SETUP)[0]
    assert finding.name == "continue" and "epochs: 9" in finding.commands[0]


def test_real_training_that_learns_lies_by_heart_stops(tmp_path):
    """A third of the labels lie: held-out rows suffer while training loss goes on falling."""
    history = learn(tmp_path, make_rows(120, 0, 0.4), make_rows(300, 1, 0.0), 25, 5e-3)
    assert history.epochs[-1].train_loss < 0.5 * history.epochs[0].train_loss
    assert {"stop", "prepare to stop"} & set(names(history)) and "loss rule" in names(history)
    assert "continue" not in names(history)


def test_a_logs_own_length_is_what_a_command_changes(tmp_path, epochs_of):
    """A log alone does not say what it was trained with; a command names what it changes all the same."""
    columns = {"train_loss": [1.0, 0.8, 0.6, 0.4], "val_loss": [1.0, 0.8, 0.6, 0.5]}
    path = tmp_path / "train.jsonl"
    epochs = epochs_of(**columns, val_accuracy=[0.5, 0.6, 0.7, 0.8])
    path.write_text("".join(e.model_dump_json(exclude_none=True) + "\n" for e in epochs))
    (model,) = diagnose_run(path).models
    commands = [command for finding in model.findings for command in finding.commands]
    assert commands == ["edgekd run PROJECT --set 'students.0.training={epochs: 6}'"]
    assert "epochs: 4" in Setup().retrain(epochs=4)  # the default, said all the same


def test_a_teacher_in_the_loop_is_said_to_starve_the_student(history_of):
    clock = [0]
    stages = StageClock(lambda: clock[0], lambda: clock[0])
    profiles = []
    for epoch, seconds in ((1, {"teacher": 8, "student": 4}), (2, {"student": 4})):
        for phase, spent in seconds.items():
            stages.switch(phase)
            clock[0] += spent * 10**9
        profiles.append(stages.profile("small", epoch, threads=1))
    told = history_of(train_loss=[1.0, 0.9], val_loss=[1.0, 0.9], train_feature_mse=[0.5, None])
    history = replace(told, profiles=tuple(profiles))
    features = replace(SETUP, distillation=Distillation(features=FeatureStage(epochs=2)))
    one = found(history, "starved", features)
    assert "50 % of the time is the teacher's forward pass" in one.what and "epochs 1 to 2" in one.evidence[0]
    assert "fewer epochs" in one.advice
    assert one.commands == (
        "edgekd run project.yaml --set distillation.features.epochs=1",
        "edgekd run project.yaml --set distillation.features=null",
    )
