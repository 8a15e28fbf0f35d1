"""An order of candidates per query, learnt for real: teacher, soft labels, students, what their logs say."""

import json
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
import torch

from edgekd.config import (
    Distillation,
    Emphasis,
    FeatureStage,
    RankTerms,
    StaticModel,
    Training,
    TransformerModel,
)
from edgekd.data.rank_reader import RANKS
from edgekd.data.taskdata import TaskData
from edgekd.distill.distil import distil
from edgekd.distill.eager import open_eager
from edgekd.distill.examples import Examples, Lesson, Session
from edgekd.distill.fine_tune import Checkpoint, adopt, fine_tune
from edgekd.distill.labels.fill import fill_store
from edgekd.distill.labels.labeller import Labeller
from edgekd.distill.labels.store import LabelStore
from edgekd.distill.labels.trial import try_labeller
from edgekd.distill.learner import Batch
from edgekd.distill.learners.classify import classify_as_taught
from edgekd.distill.learners.rank import Rank, rank_as_taught, rank_rows
from edgekd.distill.learners.rank_figures import ndcg
from edgekd.distill.learners.score import score_as_taught
from edgekd.distill.lists import list_requests
from edgekd.distill.logs.events import read_events
from edgekd.distill.logs.training_events import DominatingExamples, EpochSummary, TrainStep
from edgekd.distill.reference import reference_outputs, torch_labeller
from edgekd.distill.softlabels import list_texts, open_soft_labels, save_texts
from edgekd.distill.student import load_module, load_scorer, open_student, student_tokens
from edgekd.distill.teacher import Teacher, load_teacher, open_teacher, teacher_tokens
from edgekd.errors import ConfigError
from edgekd.pipeline.labeller import is_long
from edgekd.serving.request import join_request, list_examples, split_request

SESSION = Session("search", 0, 1)
ABOUT = ("parcel", "refund", "gift", "series")
WAYS = ("where is my {}", "{} please", "i want a {}", "{} for my order")
HIDDEN_WAY = "read a {} next"  # of unlabelled rows: their queries are not held out
COMMON = {"vocabulary": 3500, "max_tokens": 32}
MODELS = {
    "static": StaticModel(
        kind="static", name="s", dimension=48, hidden=96, pairs=512,
        training=Training(epochs=8, learning_rate=5e-3, batch=8), **COMMON,
    ),
    "transformer": TransformerModel(
        kind="transformer", name="t", layers=(0, -1),
        training=Training(epochs=8, learning_rate=3e-3, batch=8), **COMMON,
    ),
}  # fmt: skip

pytestmark = pytest.mark.long  # they train


class Task(NamedTuple):
    data: TaskData

    def grades(self, split: str) -> np.ndarray:
        return self.data.split(split).targets

    def examples(self, split: str, taught=None) -> Examples:
        return Examples(self.data.split(split).requests, self.grades(split), taught)


@pytest.fixture(scope="module")
def task() -> Task:
    """A candidate is relevant that is about what the query names, the more so if it is new."""
    rng = np.random.default_rng(0)
    counts = {"train": 160, "unlabelled": 12, "validation": 24, "test": 30}
    rows = []
    for split, count in counts.items():
        for i in range(count):
            about = ABOUT[i % 4]
            query = (HIDDEN_WAY if split == "unlabelled" else WAYS[i // 4 % 4]).format(about)
            named = rng.choice(ABOUT, int(rng.integers(3, 9))).tolist()
            named[rng.integers(len(named))] = about
            is_new = rng.random(len(named)) < 0.5
            candidates = [f"{'new' if n else 'old'} {one} book" for one, n in zip(named, is_new, strict=True)]
            grades = [(1.0 + n) * (one == about) for one, n in zip(named, is_new, strict=True)]
            grades = [
                None if rng.random() < 0.1 and one != about else g
                for one, g in zip(named, grades, strict=True)
            ]
            if split == "unlabelled":
                grades = [None] * len(named)
            rows.append(
                {
                    "id": str(len(rows)),
                    "text": query,
                    "split": split,
                    "label": grades,
                    "candidates": candidates,
                }
            )
    return Task(TaskData(pa.Table.from_pylist(rows), (), RANKS))


def score(network, tokens, requests) -> np.ndarray:
    return list_requests(requests)[1].fold(reference_outputs(network, tokens, threads=1))


@pytest.fixture(scope="module")
def teacher(task, teacher_folder, tmp_path_factory) -> Teacher:
    folder = tmp_path_factory.mktemp("tuned")
    checkpoint = Checkpoint(
        "tuned", str(teacher_folder), 32, Training(epochs=12, learning_rate=1e-3, batch=4)
    )
    lesson = Lesson(rank_rows(Emphasis(), "teacher"), task.examples("train"), task.examples("validation"))
    fine_tune(checkpoint, lesson, folder, SESSION)
    return open_teacher(folder, "the teacher's digest")


@pytest.fixture(scope="module")
def lesson(task, teacher, tmp_path_factory) -> Lesson:
    folder = tmp_path_factory.mktemp("labels")
    listed = list_texts(task.data, 4, 0)
    save_texts(listed, folder)
    store = LabelStore(folder / "labels", teacher.digest, 1)
    labeller = torch_labeller(load_teacher(teacher), threads=1)
    fill_store(store, listed.learn, lambda texts: teacher_tokens(teacher, list(texts)), labeller)
    learner = rank_as_taught(Distillation())
    learn = open_soft_labels(folder, task.grades("train"), store, learner)
    requests = task.data.split("validation").requests
    tokens = teacher_tokens(teacher, list_requests(requests)[0])
    return Lesson(learner, learn, task.examples("validation", score(load_teacher(teacher), tokens, requests)))


def quality(scores: np.ndarray, task: Task) -> float:
    return float(np.nanmean(ndcg(scores, task.grades("test"))))


def chance(task: Task) -> float:
    rng = np.random.default_rng(0)
    grades = task.grades("test")
    return float(np.mean([np.nanmean(ndcg(rng.random(grades.shape), grades)) for _ in range(50)]))


def test_teacher_ranks_what_it_has_not_seen(task, teacher):
    notes = json.loads((teacher.path / "teacher.json").read_text(encoding="utf-8"))
    assert teacher.separation is not None and notes["separator"] == teacher.separation.separator
    requests = task.data.split("test").requests
    tokens = teacher_tokens(teacher, list_requests(requests)[0])
    scores = score(load_teacher(teacher), tokens, requests)
    assert chance(task) < 0.8 and quality(scores, task) > 0.85
    real = task.grades("test") != -1
    assert np.isfinite(scores[real]).all() and np.isnan(scores[~real]).all()
    answer = open_eager(str(teacher.path))
    for row in (0, 5):
        assert answer(requests[row]) == pytest.approx(scores[row][real[row]].tolist(), abs=1e-4)


def test_pairs_are_labelled_once_whichever_request_they_are_in(tmp_path, task, teacher, lesson):
    learn = lesson.learn
    assert len(learn.texts) == 172 and learn.texts[:160] == task.data.split("train").requests
    assert np.array_equal(learn.targets[:160], task.grades("train"), equal_nan=True)
    assert not (learn.targets[160:] >= 0).any()
    requests = [learn.texts[row] for row in (0, 7, 171)]
    tokens = teacher_tokens(teacher, list_requests(requests)[0])
    expected = score(load_teacher(teacher), tokens, requests)
    found = learn.taught[[0, 7, 171]]
    assert found[:, : expected.shape[1]] == pytest.approx(expected, abs=0.02, nan_ok=True)
    store = LabelStore(tmp_path, teacher.digest, 1)
    listed = list_texts(task.data, 0, 0).learn
    labeller = Labeller("none", lambda ids: np.zeros((len(ids), 1), np.float32))
    added = fill_store(store, listed, lambda texts: teacher_tokens(teacher, list(texts)), labeller)
    assert added == len(set(listed.texts)) < len(listed.texts)
    assert listed.tags[0] == ("train",) and listed.tags[-1] == ("unlabelled",)


@pytest.mark.parametrize("kind", MODELS)
def test_student_learns_orders_and_its_log_says_so(tmp_path, task, teacher, lesson, kind):
    distil(MODELS[kind], teacher, lesson, tmp_path, SESSION)
    student = open_student(tmp_path, "digest")
    requests = task.data.split("test").requests
    examples = list_requests(requests)[0]
    scores = score(load_scorer(student), student_tokens(student, examples), requests)
    assert quality(scores, task) > chance(task) + 0.5 * (1 - chance(task))
    log = read_events(tmp_path / "logs" / "train.jsonl")
    summaries = [one for one in log if isinstance(one, EpochSummary)]
    last = summaries[-1]
    assert last.chosen_by == "ndcg_at_10" and last.is_higher_better and last.val_rows == 24
    assert {"ndcg_at_10", "mrr_at_10", "top1_agreement", "kendall_tau"} <= set(last.val_figures)
    assert {"rank_ce", "kd_listwise", "kd_margin_mse", "kd_score_mse"} <= set(last.train_terms)
    assert last.val_figures["kendall_tau"] > 0.4
    for step in (one for one in log if isinstance(one, TrainStep)):
        mixed = 0.1 * step.terms["rank_ce"] + 0.9 * step.terms["kd_listwise"]
        assert step.total_loss == pytest.approx(mixed, rel=0.2)  # rows without grades have no hard term
    listed = [one for one in log if isinstance(one, DominatingExamples)]
    assert listed and all("\x1f" not in one.text for event in listed for one in event.examples)


def test_towers_are_one_encoder_that_is_served_alone(tmp_path, task, teacher, lesson):
    model = MODELS["static"].model_copy(update={"training": Training(epochs=1, learning_rate=1e-3, batch=8)})
    distil(model, teacher, lesson, tmp_path, SESSION)
    student = open_student(tmp_path, "digest")
    assert student.towers == 48 and student.separation is not None and student.separation.apart
    encoder, scorer = load_module(student), load_scorer(student)
    query, candidates = split_request(task.data.split("test").requests[0])
    plain = replace(student, separation=None)
    asked = student_tokens(plain, [query])
    read = student_tokens(plain, candidates)
    examples = student_tokens(student, list_examples(join_request(query, candidates)))
    with torch.inference_mode():
        vector = encoder(torch.from_numpy(asked.padded(np.array([0]))[0]))
        assert vector.shape == (1, 48)
        for number in range(len(candidates)):
            ids = read.padded(np.array([number]))[0][0]
            own = torch.tensor([[student.separation.separator, *ids]])
            pair = torch.from_numpy(examples.padded(np.array([number]))[0])
            assert (vector * encoder(own)).sum().item() == pytest.approx(scorer(pair).item(), abs=1e-4)
        together = scorer(*map(torch.from_numpy, examples.padded(np.arange(len(candidates)))))
        alone = [
            scorer(torch.from_numpy(examples.padded(np.array([n]))[0])).item() for n in range(len(candidates))
        ]
    assert together[:, 0].tolist() == pytest.approx(alone, abs=1e-4)


class StopError(Exception):
    pass


@pytest.mark.parametrize("kind", MODELS)
def test_stopped_training_goes_on_to_the_same_bits(tmp_path, teacher, lesson, kind):
    model = MODELS[kind].model_copy(update={"training": Training(epochs=3, learning_rate=1e-3, batch=4)})
    short = replace(lesson.learner, list_size=3)

    def stop(share, words):
        if share > 0.5:
            raise StopError

    taught = replace(lesson, learner=short)
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    distil(model, teacher, taught, tmp_path / "whole", SESSION)
    with pytest.raises(StopError):
        distil(model, teacher, taught, tmp_path / "cut", SESSION, on_progress=stop)
    distil(model, teacher, taught, tmp_path / "cut", SESSION)
    one, other = (Path(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "cut"))
    assert one == other


def test_a_trained_ranker_is_taken_as_it_is(tmp_path, teacher, task):
    adopt(Checkpoint("other", str(teacher.path), 32), Rank(), tmp_path)
    adopted = open_teacher(tmp_path, "digest")
    assert adopted.separation == teacher.separation
    examples = list_requests(task.data.split("test").requests[:3])[0]
    one, other = (
        reference_outputs(load_teacher(each), teacher_tokens(each, examples), threads=1)
        for each in (teacher, adopted)
    )
    assert np.array_equal(one, other)


def test_how_long_labelling_takes_is_told_by_the_pairs(task, teacher):
    network = load_teacher(teacher)
    assert is_long(task.data, teacher, network, 10**9)
    assert not is_long(task.data, teacher, network, 5000)


def test_a_labeller_must_score_alike(task, teacher):
    examples = list_requests(task.data.split("test").requests)[0]
    exact = torch_labeller(load_teacher(teacher), threads=1)
    noise = np.random.default_rng(0)

    def blurred(share):
        return Labeller(
            "b", lambda ids: (s := exact.label(ids)) + noise.normal(0, share, s.shape).astype("f4")
        )

    tokens = teacher_tokens(teacher, examples)
    assert try_labeller(exact, exact, tokens, Rank()).agreement.is_equal
    assert not try_labeller(exact, blurred(1.0), tokens, Rank()).agreement.is_equal
    assert not Rank().compare(np.ones((3, 1)), np.array([[1.0], [np.nan], [1.0]])).is_equal


def test_loss_is_what_the_settings_say():
    outputs = torch.tensor([[1.0, 0.0, 2.0], [0.5, 1.5, torch.nan]])
    taught = torch.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, torch.nan]])
    targets = torch.tensor([[1.0, 0.0, torch.nan], [torch.nan, torch.nan, -1.0]])
    settings = RankTerms(listwise=0.5, margin_mse=0.25, score_mse=2.0)
    learner = rank_as_taught(Distillation(alpha=0.75, temperature=1.5, rank=settings))
    objective = learner.objective(torch.device("cpu"))
    terms = objective.terms(Batch(outputs, taught, targets), objective.survey(targets))
    named = {name: value.tolist() for name, value in terms.named.items()}
    soft = [
        0.5 * a + 0.25 * b + 2.0 * c
        for a, b, c in zip(named["kd_listwise"], named["kd_margin_mse"], named["kd_score_mse"], strict=True)
    ]
    assert terms.total.tolist() == pytest.approx([0.25 * named["rank_ce"][0] + 0.75 * soft[0], soft[1]])
    assert named["rank_ce"][0] == pytest.approx(float(np.log1p(np.exp(-1.0))))  # the third is not judged
    assert named["kd_score_mse"] == pytest.approx([2.0, 1.25])
    assert named["kd_margin_mse"][1] == pytest.approx((1.0 - 3.0) ** 2)


@pytest.mark.parametrize("name", ["rare_classes", "class_weights", "alpha_of", "logits"])
def test_keys_of_classes_are_refused(name):
    values = {"rare_classes": ("a",), "class_weights": "inverse", "alpha_of": {"a": 0.5}, "logits": 0.5}
    with pytest.raises(ConfigError, match=rf"^distillation\.{name}: is of classes, and a ranking has none"):
        rank_as_taught(Distillation(**{name: values[name]}))


def test_keys_of_rankings_are_refused_elsewhere():
    how = Distillation(rank=RankTerms())
    for learn in (score_as_taught, lambda how: classify_as_taught(("a", "b"), how)):
        with pytest.raises(ConfigError, match=r"^distillation\.rank: is of orders of candidates"):
            learn(how)


def test_what_does_not_fit_lists_is_refused_in_one_line(tmp_path, teacher, lesson):
    with pytest.raises(ConfigError, match=r"^distillation\.features: "):
        distil(MODELS["transformer"], teacher, lesson, tmp_path, SESSION, features=FeatureStage())
    with pytest.raises(ConfigError, match="has 3 outputs where a ranking has one"):
        Rank().match_outputs(["a", "b", "c"], "somewhere")
    with pytest.raises(ConfigError, match="pairs: a linear model beside the network is for classes alone"):
        distil(MODELS["transformer"].model_copy(update={"pairs": 64}), teacher, lesson, tmp_path, SESSION)
