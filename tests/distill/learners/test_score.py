"""A number per text, learnt for real: teacher, soft labels, students, and what their logs say."""

import json
from itertools import product
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
import torch

from edgekd.config import Distillation, Emphasis, StaticModel, Training, TransformerModel
from edgekd.data.taskdata import TaskData
from edgekd.distill.baseline import bag_of_words_answers
from edgekd.distill.diagnosis.capacity import analyse_capacity
from edgekd.distill.diagnosis.diagnose import diagnose
from edgekd.distill.diagnosis.finding import Setup
from edgekd.distill.diagnosis.history import make_history
from edgekd.distill.distil import distil
from edgekd.distill.examples import Examples, Lesson, Session
from edgekd.distill.fine_tune import Checkpoint, adopt, fine_tune
from edgekd.distill.labels.fill import fill_store
from edgekd.distill.labels.labeller import Labeller
from edgekd.distill.labels.store import LabelStore
from edgekd.distill.labels.trial import try_labeller
from edgekd.distill.learner import Batch
from edgekd.distill.learners.score import Score, score_as_taught, score_rows, to_numbers
from edgekd.distill.logs.events import read_events
from edgekd.distill.logs.training_events import DominatingExamples, EpochSummary, TrainStep
from edgekd.distill.reference import reference_outputs, torch_labeller
from edgekd.distill.softlabels import list_texts, open_soft_labels, save_texts
from edgekd.distill.student import load_module, open_student
from edgekd.distill.teacher import Teacher, load_teacher, open_teacher, teacher_tokens
from edgekd.distill.training.tokens import open_tokenizer, tokenize
from edgekd.errors import ConfigError

# How urgent a message is: by what it asks for, and by how.
ASKS = {
    "a gift idea": 0.0,
    "what should i read next": 0.1,
    "where is my parcel": 0.4,
    "i want to send it back": 0.5,
    "my card was charged twice": 0.8,
}
WAYS = {"": 0.0, " when you have time": -0.2, " please": -0.1, " today": 0.15, " now": 0.2, " 漫画": 0.0}
SESSION = Session("urgency", 0, 1)
COMMON = {"vocabulary": 3500, "max_tokens": 32}
MODELS = {
    "static": StaticModel(
        kind="static", name="s", dimension=48, hidden=32, pairs=512,
        training=Training(epochs=8, learning_rate=5e-3, batch=16), **COMMON,
    ),
    "transformer": TransformerModel(
        kind="transformer", name="t", layers=(-1,),
        training=Training(epochs=6, learning_rate=3e-3, batch=16), **COMMON,
    ),
}  # fmt: skip


class Task(NamedTuple):
    data: TaskData

    def numbers(self, split: str) -> np.ndarray:
        return np.array(self.data.split(split).table["urgency"].to_pylist(), np.float32)

    def examples(self, split: str, taught=None) -> Examples:
        return Examples(self.data.split(split).texts, self.numbers(split), taught)

    def error_of_the_mean(self) -> float:
        """What a model that knows nothing but the mean of the training rows would reach."""
        return float(np.abs(self.numbers("train").mean() - self.numbers("test")).mean())


@pytest.fixture(scope="module")
def task() -> Task:
    pairs = list(product(ASKS.items(), WAYS.items()))
    counts = {"train": 240, "validation": 60, "test": 60}
    rows = []
    for split, count in counts.items():
        for i in range(count):
            (ask, base), (way, more) = pairs[i % len(pairs)]
            number = min(1.0, max(0.0, base + more))
            text = f"{ask}{way} {len(rows)}"  # no text is in two splits
            rows.append({"id": str(len(rows)), "text": text, "split": split, "urgency": number})
    return Task(TaskData(pa.Table.from_pylist(rows), ()))


@pytest.fixture(scope="module")
def teacher(task, teacher_folder, tmp_path_factory) -> Teacher:
    folder = tmp_path_factory.mktemp("tuned")
    checkpoint = Checkpoint("tuned", str(teacher_folder), 32, Training(epochs=8, learning_rate=2e-3, batch=8))
    lesson = Lesson(score_rows(Emphasis(), "teacher"), task.examples("train"), task.examples("validation"))
    fine_tune(checkpoint, lesson, folder, SESSION)
    return open_teacher(folder, "the teacher's digest")


@pytest.fixture(scope="module")
def lesson(task, teacher, tmp_path_factory) -> Lesson:
    """Train rows and noisy copies, which have no number of their own, as the teacher sees them."""
    folder = tmp_path_factory.mktemp("labels")
    listed = list_texts(task.data, 1, 0)
    save_texts(listed, folder)
    store = LabelStore(folder / "labels", teacher.digest, 1)
    labeller = torch_labeller(load_teacher(teacher), threads=1)
    fill_store(store, listed.learn, lambda texts: teacher_tokens(teacher, list(texts)), labeller)
    learner = score_as_taught(Distillation())
    learn = open_soft_labels(folder, task.numbers("train"), store, learner)
    tokens = teacher_tokens(teacher, task.data.split("validation").texts)
    outputs = reference_outputs(load_teacher(teacher), tokens, threads=1)
    return Lesson(learner, learn, task.examples("validation", outputs))


def error_of(outputs: np.ndarray, task: Task) -> float:
    return float(np.abs(to_numbers(outputs) - task.numbers("test")).mean())


def test_teacher_of_one_output_knows_its_rows(task, teacher):
    assert teacher.outputs == ("score",)
    config = json.loads((teacher.path / "config.json").read_text(encoding="utf-8"))
    assert config["id2label"] == {"0": "score"}
    tokens = teacher_tokens(teacher, task.data.split("test").texts)
    outputs = reference_outputs(load_teacher(teacher), tokens, threads=1)
    assert outputs.shape == (60, 1)
    assert error_of(outputs, task) < 0.4 * task.error_of_the_mean()


def test_copies_have_no_number_but_the_teachers(task, teacher, lesson):
    learn = lesson.learn
    assert np.array_equal(learn.targets[:240], task.numbers("train"))
    assert len(learn.targets) > 400 and np.isnan(learn.targets[240:]).all()
    assert learn.taught.shape == (len(learn.texts), 1)
    rows = np.array([0, 7, len(learn.texts) - 1])
    tokens = teacher_tokens(teacher, [learn.texts[row] for row in rows])
    expected = reference_outputs(load_teacher(teacher), tokens, threads=1)
    assert learn.taught[rows] == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("kind", MODELS)
def test_student_learns_numbers_and_its_log_says_so(tmp_path, task, teacher, lesson, kind):
    distil(MODELS[kind], teacher, lesson, tmp_path, SESSION)
    student = open_student(tmp_path, "digest")
    assert student.outputs == ("score",)
    test = task.data.split("test")
    tokens = tokenize(open_tokenizer(tmp_path / "tokenizer.json", student.max_tokens), test.texts)
    outputs = reference_outputs(load_module(student), tokens, threads=1)
    assert error_of(outputs, task) < 0.5 * task.error_of_the_mean()

    told = read_events(tmp_path / "logs" / "train.jsonl")
    steps = [event for event in told if isinstance(event, TrainStep)]
    assert steps and all(step.terms.keys() == {"hard_bce", "kd_kl"} for step in steps)
    assert steps[0].hard_ce is None and steps[0].task == "urgency"
    epochs = [event for event in told if isinstance(event, EpochSummary)]
    figures = [epoch.val_figures for epoch in epochs]
    assert all(one.keys() == {"mean_absolute_error", "mean_gap_to_teacher"} for one in figures)
    assert all(epoch.val_accuracy is None and epoch.calibration_ece is None for epoch in epochs)
    assert {e.event for e in told} == {
        "kd_train_step", "kd_epoch_summary", "dominating_examples", "training_system_profile"
    }  # fmt: skip
    shown = [example for event in told if isinstance(event, DominatingExamples) for example in event.examples]
    assert all(example.class_name is None and 0 <= float(example.teacher_answer) <= 1 for example in shown)

    history = make_history(told)
    assert history.best.epoch == 1 + int(np.argmin([one["mean_absolute_error"] for one in figures]))
    assert history.is_distilled and history.errors[0] == "mean absolute error"
    assert diagnose(history, Setup())
    (row,) = analyse_capacity([history])
    assert row.quality_metric == "1 - mean absolute error" and row.quality > 0.9


def test_loss_without_a_number_is_the_teachers_alone():
    generator = torch.Generator().manual_seed(0)
    outputs, taught = (torch.randn(4, 1, generator=generator) for _ in range(2))
    targets = torch.tensor([0.2, torch.nan, 1.0, torch.nan])
    objective = Score(alpha=0.25).objective(torch.device("cpu"))
    found = objective.terms(Batch(outputs, taught, targets), objective.survey(targets))
    hard, soft = found.named["hard_bce"], found.named["kd_kl"]
    torch.testing.assert_close(found.total[[1, 3]], soft[[1, 3]])
    torch.testing.assert_close(found.total[[0, 2]], 0.75 * hard[[0, 2]] + 0.25 * soft[[0, 2]])
    alone = objective.terms(Batch(outputs, None, targets), objective.survey(targets))
    torch.testing.assert_close(alone.total, hard)


def test_figures_are_over_rows_that_have_a_number():
    outputs = np.array([[0.0], [np.log(3)], [0.0]], np.float32)  # numbers 0.5, 0.75, 0.5
    taught = np.array([[0.0], [0.0], [np.log(3)]], np.float32)
    targets = np.array([0.25, 0.75, np.nan], np.float32)
    found = Score().judge(outputs, targets, taught)
    assert found["mean_absolute_error"] == pytest.approx(0.125)
    assert found["mean_gap_to_teacher"] == pytest.approx((0 + 0.25 + 0.25) / 3)
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert found["val_loss"] == pytest.approx((np.log(2) + entropy) / 2)


@pytest.mark.parametrize(("shift", "is_equal"), [(0.0, True), (0.004, True), (0.02, False), (np.nan, False)])
def test_labellers_of_one_output_are_compared_by_their_numbers(shift, is_equal):
    """A softmax of one output is always 1: compared by that, any two would be equal."""
    tokens = tokenize(_words(), ["one", "two one", "one two", "two"] * 8)
    reference = Labeller("reference", lambda ids: ids[:, :1].astype(np.float32) - 1.5)
    candidate = Labeller("candidate", lambda ids: reference.label(ids) + np.float32(shift))
    trial = try_labeller(reference, candidate, tokens, Score())
    assert trial.agreement.is_equal == is_equal and trial.gap == 0


def _words():
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"one": 1, "two": 2, "?": 0}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


def test_bag_of_words_answers_with_numbers(task):
    learner, test = Score(), task.examples("test")
    answers = bag_of_words_answers(learner, task.examples("train"), task.examples("validation"), test.texts)
    assert answers.dtype == np.float32
    assert -learner.closeness(answers, test.targets) < 0.6 * task.error_of_the_mean()


def test_adopted_model_must_have_one_output(task, teacher, teacher_folder, tmp_path):
    adopt(Checkpoint("adopted", str(teacher.path), 32), Score(), tmp_path)
    adopted = open_teacher(tmp_path, "digest")
    tokens = teacher_tokens(teacher, task.data.split("test").texts)
    found, wanted = (reference_outputs(load_teacher(one), tokens, threads=1) for one in (adopted, teacher))
    assert np.array_equal(found, wanted)
    with pytest.raises(ConfigError, match=r"has 2 outputs where a score has one; fine-tune it \("):
        adopt(Checkpoint("two", str(teacher_folder), 32), Score(), tmp_path / "two")


def test_what_only_classes_have_is_refused(task, teacher, lesson, tmp_path):
    for settings in ({"rare_classes": ["a"]}, {"class_weights": "inverse"}):
        (name,) = settings
        with pytest.raises(ConfigError, match=rf"^teacher\.{name}: is of classes, and a score"):
            score_rows(Emphasis.model_validate(settings), "teacher")
    for settings in ({"alpha_of": {"a": 0.5}}, {"logits": 0.5}):
        (name,) = settings
        with pytest.raises(ConfigError, match=rf"^distillation\.{name}: "):
            score_as_taught(Distillation.model_validate(settings))
    model = MODELS["transformer"].model_copy(update={"pairs": 64})
    with pytest.raises(ConfigError, match=r"^models/t\.yaml: pairs: a linear model beside the net"):
        distil(model, teacher, lesson, tmp_path, SESSION)
