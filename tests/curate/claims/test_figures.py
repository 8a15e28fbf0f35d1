"""Errors of fact over one set of rows, what filters leave, and what of a teacher a student then learns."""

import json

import numpy as np
import pytest

from edgekd.cli.claiming import find_impossible
from edgekd.curate.claims.figures import (
    measure_answers,
    measure_facts,
    measure_left,
    most_overlap,
    read_answers,
)
from edgekd.distill.examples import Examples, Weighing
from edgekd.distill.learners.classify import Classify
from edgekd.distill.learners.rank import Rank
from edgekd.distill.logs.events import read_events
from edgekd.distill.logs.live_events import FactSlice, ReviewHealth
from edgekd.distill.trusting import trust_targets
from edgekd.errors import BadInputError, DataError
from edgekd.impact.contamination import Stage, count_stages, count_wrong_targets
from edgekd.serving.request import join_request
from edgekd.tasks.claimed import Spoken, claim_classes, claim_places


def test_copied_errors_are_the_teachers_with_the_same_answer():
    rows = [
        {"teacher": "a", "student": "a", "truth": "a", "confidence": 0.9, "page": "x"},
        {"teacher": "b", "student": "b", "truth": "a", "confidence": 0.95, "page": "x"},  # copied
        {
            "teacher": "b",
            "student": "c",
            "truth": "a",
            "confidence": 0.5,
            "page": "y",
        },  # both wrong, otherwise
        {"teacher": "a", "student": "c", "truth": "a", "confidence": 0.9, "page": "y"},
    ]
    found = measure_answers(read_answers(rows, "f", "page"), 0.9)
    assert list(found) == ["overall", "page=x", "page=y"]
    whole = found["overall"]
    assert (whole.n, whole.teacher.estimate, whole.student.estimate) == (4, 0.5, 0.75)
    assert whole.confident.estimate == 0.25 and whole.copied.estimate == pytest.approx(1 / 3)
    assert whole.copied.low < 1 / 3 < whole.copied.high
    assert found["page=x"].copied.estimate == 1.0 and found["page=y"].copied.estimate == 0.0
    right = np.zeros(3, np.bool_)
    assert measure_facts(~right, right, right, right).copied is None
    with pytest.raises(DataError, match="row 1: 'student' is empty"):
        read_answers([{"teacher": "a", "truth": "a"}], "f", None)
    with pytest.raises(BadInputError, match="over the same rows"):
        measure_facts(right, right[:2], right, right)


def test_what_filters_leave():
    is_false = np.array([True] * 4 + [False] * 96)
    trust = np.ones(100)
    trust[[0, 1, 10]] = 0
    trust[[2, 11, 12]] = 0.5
    before, after = measure_left(is_false, {"none": np.ones(100), "support": trust})
    assert before.contamination.estimate == 0.04 and before.caught.estimate == 0
    assert after.n == 97 and after.contamination.estimate == pytest.approx(2 / 97)
    assert after.weighted == pytest.approx(1.5 / (1.5 + 94))
    assert after.caught.estimate == 0.75 and after.lost.estimate == pytest.approx(1 / 96)
    assert after.lessened.estimate == pytest.approx(2 / 96)
    with pytest.raises(BadInputError, match="filter 'all' leaves none"):
        measure_left(is_false, {"all": np.zeros(100)})


def test_worked_figures_of_contamination(golden):
    worked = golden["contamination"]
    assert count_wrong_targets(worked["rate"], worked["examples_per_month"]) == worked["wrong_targets"]
    stages = tuple(
        Stage(name, one["contamination"], one["student_error"]) for name, one in worked["stages"].items()
    )
    found = count_stages(stages, worked["examples_per_month"], worked["requests_per_day"])
    assert found[-1].fewer_per_day == pytest.approx(worked["fewer_per_day"])
    assert [round(one.wrong_targets) for one in found] == [50_000, 15_000, 7_500]
    with pytest.raises(BadInputError):
        count_wrong_targets(1.5, 10)


def test_the_three_worked_rates_cannot_be_of_the_same_rows(golden):
    worked = golden["copied_teacher_error"]
    rates = worked["teacher_fact_error_rate"], worked["student_fact_error_rate"]
    assert most_overlap(*rates) == pytest.approx(0.545, abs=5e-4)
    assert most_overlap(0.1, 0.0) == most_overlap(0.2, 0.1) == 1.0
    event = FactSlice(slice="x", **{key: value for key, value in worked.items() if key != "note"})
    assert "the most would be 0.545; compute all three on one set" in find_impossible(event)
    for overlap, possible in ((0.545, True), (0.55, True), (0.60, True), (0.7, False)):
        # as printed: 0.006 may be 0.0064, and 0.011 0.0105, so that 0.61 is the most
        assert (
            find_impossible(event.model_copy(update={"copied_teacher_error_overlap": overlap})) is None
        ) == possible


def test_event_lines_are_read_as_they_stand(golden, tmp_path):
    kinds = ("distill_eval_slice", "review_pipeline_health")
    lines = [line for line in golden["events"]["lines"] if line["event"] in kinds]
    more = [{**line, "region": "eu", "pipeline": {"version": 3}} for line in lines]
    (tmp_path / "log.jsonl").write_text("\n".join(json.dumps(line) for line in (*lines, *more)) + "\n")
    found = read_events(tmp_path / "log.jsonl")
    assert [type(event) for event in found] == [FactSlice, ReviewHealth] * 2
    for event, line in zip(found, lines * 2, strict=True):
        assert event.model_dump(include=set(line)) == line
        again = type(event).model_validate_json(event.model_dump_json(exclude_none=True))
        assert again == event


def spoken(outputs, names, examples, starts, places=2):
    from edgekd.distill.lists import Lists

    return Spoken(np.array(outputs, np.float32), names, examples, Lists(np.array(starts)), places)


def test_what_outputs_claim():
    found = claim_classes(spoken([[2.0, 0.0], [0.0, 0.0]], ["a", "b"], ["x", "y"], [0, 1, 2]))
    assert list(found.claims) == ["a", "a"] and found.confidence == pytest.approx([0.8808, 0.5], abs=1e-4)
    texts = ["q\x1fone", "q\x1ftwo", "q\x1fthree", "p\x1ffour", "p\x1ffive", "o\x1fsix"]
    found = claim_places(spoken([[0.0], [3.0], [1.0], [1.0], [9.0], [5.0]], ["score"], texts, [0, 3, 5, 6]))
    assert found.rows.tolist() == [1, 2, 4] and list(found.claims) == ["two", "three", "five"]
    assert found.confidence == pytest.approx(1 / (1 + np.exp([-3.0, -1.0, -8.0])))


def test_no_target_is_learned_that_is_not_trusted():
    learner = Classify(("a", "b"))
    rows = Examples(["w", "x", "y", "z"], np.array([0, 1, -1, -1]), np.zeros((4, 2), np.float32))
    trust = np.array([0, 0.25, 0, 1], np.float32)
    learn, weighing = trust_targets(rows, Weighing(np.array([2, 2, 2, 2], np.float32)), trust, learner)
    assert learn is rows
    assert weighing.weights.tolist() == [2, 2, 0, 2]  # what only the teacher speaks of
    assert weighing.soft_at_most.tolist() == [0, 0.25, 1, 1]  # rows that have a label of their own


def test_a_candidate_that_is_not_trusted_leaves_its_list():
    requests = [
        join_request("q", ["a", "b", "c"]),
        join_request("p", ["d", "e"]),
        join_request("o", ["f", "g"]),
    ]
    nan = np.nan
    grades = np.array([[3, 0, nan], [nan, nan, -1], [nan, nan, -1]], np.float32)
    trust = np.array([1, 0, 0.5, 1, 0, 0.5, 1], np.float32)
    learn, weighing = trust_targets(Examples(requests, grades), Weighing(), trust, Rank())
    assert np.array_equal(learn.targets, [[3, -1, nan], [nan, -1, -1], [nan, nan, -1]], equal_nan=True)
    assert weighing.soft_at_most.tolist() == [0.5, 1, 1]
    assert weighing.weights.tolist() == [1, 0, 0.5]  # one candidate is no order
    assert np.isnan(grades[0, 2]) and grades[0, 1] == 0  # ours are left as they were
