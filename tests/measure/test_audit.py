"""Timed answers are held against the scored ones, and a cache in the path is found."""

import pytest

from edgekd.errors import MeasurementError
from edgekd.measure.audit import is_same, read_answers
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.session import measure_subjects
from edgekd.measure.subject import Subject
from edgekd.measure.worker import probe_cache

TEXTS = [f"the text of number {number}" for number in range(40)]
LONGER = MeasurePlan(rounds=2, seconds=0.1, warmup_seconds=0.02)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Answer(label='a', probability=0.91)", "Answer(label='a', probability=0.91000001)", True),
        ("Answer(label='a', probability=0.91)", "Answer(label='a', probability=0.92)", False),
        ("Answer(label='a', probability=0.91)", "Answer(label='b', probability=0.91)", False),
        ("'text 1'", "'text 2'", False),
        ("(1e-9, 2.5)", "(2e-09, 2.5)", True),
        ("(0.5,)", "(0.5, 0.5)", False),
    ],
)
def test_answers_are_the_same_but_for_rounding(one, other, same):
    assert is_same(one, other) is same


def test_timed_answers_are_kept_and_are_the_expected_ones(tmp_path):
    expected = {"e": [repr(text) for text in TEXTS]}
    result = measure_subjects([Subject("e", "subjects:echo")], TEXTS, tmp_path, LONGER, expected=expected)
    assert result.flags == () or not any("answers" in flag for flag in result.flags)
    for process in result.subject("e").processes:
        assert list(read_answers(tmp_path / process.answers).timed) == expected["e"]


def test_another_answer_than_the_scored_one_ends_the_measurement(tmp_path):
    expected = {"e": [repr(text) for text in TEXTS]}
    expected["e"][7] = "'something else'"
    with pytest.raises(
        MeasurementError, match="e: in the timed run input 7 was answered 'the text of number 7'"
    ):
        measure_subjects([Subject("e", "subjects:echo")], TEXTS, tmp_path, LONGER, expected=expected)


def test_answers_that_change_are_flagged(tmp_path, small_plan):
    result = measure_subjects([Subject("r", "subjects:random_answers")], TEXTS, tmp_path, small_plan)
    assert any(flag.startswith("r: timed answers are not those given before") for flag in result.flags)


def test_answers_that_change_when_it_gets_fast_are_flagged(tmp_path):
    subject = Subject("c", "subjects:changes_later", ("200",))
    result = measure_subjects([subject], TEXTS, tmp_path, LONGER)
    assert any(flag.startswith("c: timed answers are not those given before") for flag in result.flags)


def test_an_answer_that_differs_in_another_process_is_flagged_at_any_input(tmp_path):
    texts = [f"the text of number {number}" for number in range(80)]  # more than are checked untimed
    subject = Subject("o", "subjects:other_answer_in_process", ("2", str(tmp_path / "counter"), texts[79]))
    result = measure_subjects([subject], texts, tmp_path / "out", LONGER)
    assert any(flag.startswith("o: timed answers are not those given before") for flag in result.flags)


def test_a_cache_of_answers_is_found(tmp_path):
    subjects = [
        Subject("cached", "subjects:remembers", ("300",)),
        Subject("plain", "subjects:spin", ("300",)),
    ]
    flags = measure_subjects(subjects, TEXTS, tmp_path, LONGER).flags
    assert any("cached: a text never seen takes" in flag and "it remembers answers" in flag for flag in flags)
    assert not any(flag.startswith("plain: a text never seen") for flag in flags)


def test_a_text_never_seen_has_the_parts_of_the_one_it_is_made_of():
    asked = []
    probe_cache(lambda text: asked.append(text) or 1, [f"a{number} b\x1fc d{number}" for number in range(10)])
    assert "b a0\x1fd0 c" in asked and all(text.count("\x1f") == 1 for text in asked)


def test_one_text_is_flagged(tmp_path, small_plan):
    result = measure_subjects([Subject("e", "subjects:echo")], ["a"], tmp_path, small_plan)
    assert "one text only: give texts that vary in length" in result.flags
