"""A teacher finds a rare class where its rows count more, and is the same to the bit where they do not."""

import pyarrow as pa
import pytest

from edgekd.config import Distillation, Emphasis, Lora, Teacher, Training
from edgekd.data.taskdata import TaskData
from edgekd.distill.learners.classify import classify_as_taught, classify_rows
from edgekd.distill.reference import reference_outputs
from edgekd.distill.teacher import load_teacher, teacher_tokens
from edgekd.distill.weighing import weigh_rows
from edgekd.errors import ConfigError, SliceError

ASKS = {
    "claim": ["give me a refund"],  # which most customers mean as a return
    "order": ["where is my parcel", "has my order shipped", "track the delivery"],
    "return": ["i want to send it back", "start a return", "give me a refund"],
}
TAILS = ["", " please", " today", " asap", " again", " 漫画"]
COUNTS = {"train": {"claim": 12, "order": 90, "return": 90}, "validation": dict.fromkeys(ASKS, 15)}
HOW = {
    "inverse": {"class_weights": "inverse"},
    "effective": {"class_weights": "effective"},
    "critical rows": {"reviewed": {"where": "sample = 'critical'", "times": 12}},
    "penalty": {"rare_classes": ["claim"], "rare_penalty": 4.0},
}


@pytest.fixture(scope="module")
def data() -> TaskData:
    """Twelve rows of a class that only its share tells from another's."""
    rows = [
        {
            "id": f"{split}-{intent}-{i}",
            "text": f"{ASKS[intent][i % len(ASKS[intent])]}{TAILS[i % 6]} {i}",
            "label": intent,
            "split": split,
            "sample": "critical" if intent == "claim" else "traffic",
        }
        for split, counts in COUNTS.items()
        for intent, count in counts.items()
        for i in range(count)
    ]
    return TaskData(pa.Table.from_pylist(rows), tuple(ASKS))


@pytest.fixture(scope="module")
def tuned(data, teacher, tune_teacher, tmp_path_factory):
    """Fine-tune, from a model that can read these messages, under some settings."""

    def tune(name: str, settings: dict | None = None, **more):
        folder = tmp_path_factory.mktemp("made")
        training = Training(epochs=5, learning_rate=2e-3, batch=24)
        emphasis = Emphasis.model_validate(settings or {})
        more = {"training": training, "name": name, **more}
        return tune_teacher(data, teacher.path, folder, emphasis=emphasis, **more)

    return tune


@pytest.fixture(scope="module")
def plain(tuned):
    return tuned("plain")


def recalls(teacher, data):
    rows = data.split("validation")
    logits = reference_outputs(load_teacher(teacher), teacher_tokens(teacher, rows.texts), threads=1)
    hits = logits.argmax(axis=1) == rows.classes
    return {name: float(hits[rows.classes == i].mean()) for i, name in enumerate(data.outputs)}


@pytest.mark.parametrize("name", HOW)
def test_rare_class_is_found_where_it_counts_more(name, tuned, plain, data):
    before, after = recalls(plain, data), recalls(tuned(name, HOW[name]), data)
    assert before["claim"] < 0.2 and after["claim"] > 0.8
    assert after["order"] > 0.9  # what nobody weighs stays


@pytest.mark.long
def test_rare_class_is_found_by_adapters_too(tuned, data):
    how = {"lora": Lora(), "training": Training(epochs=5, learning_rate=1e-2, batch=24)}
    before, after = (recalls(tuned("l", s, **how), data) for s in (None, HOW["inverse"]))
    assert before["claim"] < 0.2 and after["claim"] > 0.8


@pytest.mark.long
def test_settings_that_change_nothing_give_the_same_bytes(tuned, plain):
    for settings in ({}, {"rare_penalty": 2.0}, {"rare_classes": ["claim"], "rare_penalty": 0}):
        assert not Emphasis.model_validate(settings).emphasis
    same = tuned("same", {"rare_classes": ["claim"], "rare_penalty": 0})
    assert (same.path / "model.safetensors").read_bytes() == (plain.path / "model.safetensors").read_bytes()


def test_teachers_and_students_are_told_alike(data):
    train = data.split("train")
    for settings in HOW.values():
        ours, theirs = Teacher.model_validate(settings), Distillation.model_validate(settings)
        learners = classify_rows(data.outputs, ours, "teacher"), classify_as_taught(data.outputs, theirs)
        found = [
            weigh_rows(train, how, "teacher", by_target=learner.weigh(train.classes))
            for how, learner in zip((ours, theirs), learners, strict=True)
        ]
        for name in ("weights", "reviewed"):
            one, other = (getattr(weighing, name) for weighing in found)
            assert (one is None and other is None) or one.tolist() == other.tolist()
        assert found[0].times == found[1].times
        assert (learners[0].rare, learners[0].penalty) == (learners[1].rare, learners[1].penalty)


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"rare_classes": ["clam"]}, ConfigError, r"^teacher\.rare_classes: .*'clam'.*claim"),
        ({"reviewed": {"where": "nobody"}}, SliceError, r"^teacher\.reviewed: where is not a predicate"),
        ({"reviewed": {"where": "sample = 'x'"}}, ConfigError, r"^teacher\.reviewed: .* no training row"),
    ],
)
def test_what_is_not_there_is_one_line(data, settings, error, words):
    def read(emphasis):
        classify_rows(data.outputs, emphasis, "teacher")
        weigh_rows(data.split("train"), emphasis, "teacher")

    with pytest.raises(error, match=words) as caught:
        read(Teacher.model_validate(settings))
    assert "\n" not in str(caught.value)


def test_a_teacher_that_is_not_trained_takes_no_emphasis():
    with pytest.raises(ValueError, match="trains nothing, so class_weights would change nothing; remove"):
        Teacher(fine_tune=False, class_weights="inverse")
    assert Teacher(fine_tune=False, rare_penalty=0.1).emphasis == {}
