"""Slices say which classes choose an epoch: a training is taken again where they choose alike."""

import json
from types import SimpleNamespace

import pytest

from edgekd.distill.logs.events import EventLog
from edgekd.distill.logs.training_events import ClassSliceEval, EpochSummary
from edgekd.engines.step import Folder, Step
from edgekd.pipeline.retaking import retake
from edgekd.store import Store

# Recall of two classes after three epochs: the first is best after the second epoch, the other at the end.
RECALLS = {"a": [0.5, 1.0, 0.5], "b": [0.5, 0.5, 1.0]}


def train(folder, classes):
    log = EventLog(folder / "train.jsonl")
    for place in range(3):
        named = [RECALLS[name][place] for name in classes]
        safety = {"safety_recall": sum(named) / len(named)} if named else {}
        for name, recalls in RECALLS.items():
            recall = {"teacher_recall": 0.9, "student_recall": recalls[place]}
            weights = {"hard_label_weight": 0.5, "soft_label_weight": 0.5}
            log.write(ClassSliceEval(epoch=place + 1, class_name=name, support=10, **recall, **weights))
        losses = {"train_loss": 1 / (1 + place), "val_loss": 1 / (1 + place)}
        rates = {"teacher_preference_match": 0.8 + place / 1000, **safety}
        log.write(EpochSummary(task="intent", student="s", teacher="t", epoch=place + 1, **losses, **rates))
    log.close()
    (folder / "logs").mkdir()
    (folder / "train.jsonl").rename(folder / "logs" / "train.jsonl")
    (folder / "weights").write_text("of one epoch")


@pytest.fixture
def context(tmp_path):
    return SimpleNamespace(store=Store(tmp_path / "store"))


@pytest.fixture
def step(tmp_path):
    (tmp_path / "rows").mkdir()

    def make(*classes, epochs=3, digest="rows") -> Step:
        settings = {"model": {"training": {"epochs": epochs}}, "critical": sorted(classes), "seed": 0}
        rows = Folder(tmp_path / "rows", digest)
        return Step("distil/s", 6, "pathlib:Path", settings, {"rows": rows})

    return make


def make(context, step):
    reads = step.key_reads(step.folders({}))
    classes = step.settings["critical"]
    return context.store.run(step.name, step.version, reads, lambda folder: train(folder, classes))


def test_a_slice_less_that_chooses_the_same_epoch_trains_nothing(context, step):
    both = step("a", "b")
    make(context, both)  # the second and the third epoch are even, and the third agrees more
    assert retake(context, step("b")) == both  # the last epoch is best by either
    assert retake(context, step()) == both
    assert retake(context, both) == both


def test_a_slice_that_chooses_another_epoch_trains(context, step):
    make(context, step("a", "b"))
    only = step("a")
    assert retake(context, only) == only


@pytest.mark.parametrize("change", [{"epochs": 9}, {"digest": "other rows"}])
def test_what_else_differs_trains(context, step, change):
    make(context, step("a", "b"))
    changed = step("b", **change)
    assert retake(context, changed) == changed


def test_a_training_whose_log_is_damaged_is_not_taken(context, step):
    stage = make(context, step("a", "b"))
    record = json.loads((stage.path / "stage.json").read_text())
    assert "logs/train.jsonl" in record["files"]
    (stage.path / "logs" / "train.jsonl").write_text("")
    assert retake(context, step("b")) == step("b")
