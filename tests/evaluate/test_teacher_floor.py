"""A teacher under a floor is named with what it reaches, and with the rows or weights that would help."""

import json

import numpy as np
import pytest

from edgekd.config import Slice, Teacher
from edgekd.evaluate.classify.scorer import CLASS_SCORER
from edgekd.evaluate.scorer import JudgedRows
from edgekd.evaluate.teacher_floor import TeacherFloor, judge_teacher

LABELS = ("faq", "fraud", "order", "threat")
TRAINED = np.repeat(np.arange(4), (400, 54, 300, 108))
TRUTH = np.repeat(np.arange(4), (100, 20, 100, 20))
EVERY = Slice(name="overall", margin=5)


def judge(answers, *slices, settings=None, truth=TRUTH, traffic=None):
    given = [EVERY, *(Slice.model_validate(entry) for entry in slices)]
    parts = [
        JudgedRows(rows, LABELS, given, {e.name: np.ones(len(rows), np.bool_) for e in given}, drawn)
        for rows, drawn in ((truth, traffic), (TRAINED, None))
    ]
    return judge_teacher(answers, *parts, CLASS_SCORER, settings or Teacher())


@pytest.fixture
def answers():
    """Half of the frauds are called `faq`, and so is a quarter of the threats; three orders are `fraud`."""
    found = TRUTH.copy()
    found[100:110] = 0
    found[220:225] = 0
    found[120:123] = 1
    return found


def test_each_class_is_judged_on_its_own(answers):
    floors = judge(answers, {"name": "risk", "recall_of": ["fraud", "threat"], "margin": 5, "at_least": 70})
    assert [(f.slice, f.value, f.n, f.training_rows, f.is_under) for f in floors] == [
        ("risk:fraud", 0.5, 20, 54, True),
        ("risk:threat", 0.75, 20, 108, False),
    ]
    assert floors[0].words == (
        "teacher: slice 'risk:fraud': recall is 50.0 % on 20 validation rows, the floor is 70 %; "
        "fraud has 54 training rows, 3 of the 3 classes with at least 108 reach 70 %: "
        "add rows, or set teacher.class_weights: effective"
    )
    assert floors[1].advice == ""


def test_a_family_has_a_floor_of_its_own(answers):
    risk = {"name": "risk", "recall_of": ["fraud", "threat"], "margin": 5, "together": True}
    floors = judge(answers, {**risk, "at_least": 80, "class_at_least": 40})
    assert [(f.slice, f.is_under) for f in floors] == [
        ("risk", True), ("risk:fraud", False), ("risk:threat", False)
    ]  # fmt: skip
    assert (
        "; its classes have 162 training rows, 2 of the 2 classes with at least 300 reach" in floors[0].words
    )


def test_advice_does_not_repeat_what_is_set(answers):
    fraud = {"name": "fraud", "recall_of": ["fraud"], "margin": 5, "at_least": 90}

    def advice(**settings) -> str:
        return judge(answers, fraud, settings=Teacher.model_validate(settings))[0].advice

    assert advice().endswith(": add rows, or set teacher.class_weights: effective")
    assert advice(class_weights="inverse").endswith(": add rows, or set teacher.rare_classes: [fraud]")
    assert advice(class_weights="inverse", rare_classes=["fraud"]).endswith("reach 90 %: add rows")
    assert advice(fine_tune=False).startswith("it is used as it is: fine-tune it (teacher.fine_tune: true)")


def test_false_alarms_and_precision_name_the_rows_they_come_from(answers):
    floors = judge(
        answers,
        {"name": "alarms", "false_alarm_of": ["fraud", "threat"], "at_most": 1},
        {"name": "calls", "precision_of": ["fraud"], "at_least": 90},
    )
    assert [f.value for f in floors] == [pytest.approx(3 / 200), pytest.approx(10 / 13)]
    assert floors[0].words == (
        "teacher: slice 'alarms': the share of false alarms is 1.5 % on 200 validation rows, "
        "the limit is 1 %; 3 of the 3 rows that are wrongly called so are order: add training rows of it"
    )
    assert floors[1].is_under and "3 of the 3 rows" in floors[1].advice


def test_false_alarms_are_counted_on_traffic_alone(answers):
    traffic = np.ones(len(TRUTH), np.bool_)
    traffic[120:123] = False
    alarms = {"name": "alarms", "false_alarm_of": ["fraud"], "at_most": 1}
    assert judge(answers, alarms)[0].is_under
    kept = judge(answers, alarms, traffic=traffic)[0]
    assert (kept.value, kept.n, kept.is_under) == (0.0, 217, False)


def test_accuracy_of_a_slice_counts_its_own_training_rows(answers):
    floor = judge(answers, {"name": "web", "where": "device = 'web'", "margin": 5, "at_least": 95})[0]
    assert floor.training_rows == 862 and floor.value == pytest.approx(1 - 18 / 240)
    assert floor.advice == (
        "862 training rows in the slice: add rows or repeat them "
        "(teacher.reviewed: {where: \"device = 'web'\"})"
    )


def test_a_slice_without_validation_rows_is_said_and_is_not_under():
    truth = np.repeat(np.arange(3), 10)
    floor = judge(truth, {"name": "t", "recall_of": ["threat"], "margin": 5, "at_least": 90}, truth=truth)[0]
    assert floor.value is None and not floor.is_under
    assert floor.words == "teacher: slice 't' has a floor and no validation row to judge the teacher on"


def test_slices_without_a_floor_are_left_out_and_records_can_be_kept(answers):
    assert judge(answers) == ()
    floors = judge(answers, {"name": "risk", "recall_of": ["fraud"], "margin": 5, "at_least": 90})
    assert TeacherFloor.from_json(json.loads(json.dumps(floors[0].to_json()))) == floors[0]
