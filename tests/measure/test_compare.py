import time

import numpy as np
import pytest

from edgekd.errors import MeasurementError
from edgekd.measure.compare import Until, compare_subjects
from edgekd.measure.subject import Subject

TEXTS = [f"text {number}" for number in range(50)]


def spin(name, share):
    return Subject(name, "subjects:slower", ("500", str(share)))


@pytest.mark.parametrize(("share", "verdict"), [(0.1, "slower"), (-0.1, "faster"), (0.0, "no change")])
def test_a_change_is_found_and_none_is_not(tmp_path, share, verdict):
    found = compare_subjects(spin("new", share), spin("old", 0), TEXTS, tmp_path)
    assert found.verdict == verdict
    assert found.rounds >= 5
    assert found.p50.ratio.low <= 1 + share + 0.005
    assert found.p50.ratio.high >= 1 + share - 0.005
    assert found.p95.ratio is not None
    for old, new in zip(found.result.samples("old"), found.result.samples("new"), strict=True):
        assert np.array_equal(old.inputs, new.inputs)
        assert np.array_equal(old.blocks, new.blocks)


def test_the_deadline_holds_and_too_few_rounds_are_no_verdict(tmp_path):
    began = time.monotonic()
    found = compare_subjects(
        spin("new", 0.5), spin("old", 0), TEXTS, tmp_path, until=Until(deadline_seconds=1.6)
    )
    assert time.monotonic() - began < 1.9
    assert found.rounds < 5
    assert found.verdict == "too noisy"
    assert found.p50.ratio is None
    assert found.reason == "the deadline of 1.6 s"


def test_a_round_that_hangs_ends_at_the_deadline(tmp_path):
    hanging = Subject("new", "subjects:hangs_from_process", ("3", str(tmp_path / "counter")))
    began = time.monotonic()
    found = compare_subjects(
        hanging, spin("old", 0), TEXTS, tmp_path / "out", until=Until(deadline_seconds=4)
    )
    assert time.monotonic() - began < 4.5
    assert (found.rounds, found.verdict) == (2, "too noisy")


def test_a_round_of_many_slow_steps_ends_at_the_deadline(tmp_path):
    """None of them is as long as what was left when it began, but all of them are."""
    slow = Subject("new", "subjects:slow_from_process", ("3", str(tmp_path / "counter"), "0.15"))
    began = time.monotonic()
    found = compare_subjects(slow, spin("old", 0), TEXTS, tmp_path / "out", until=Until(deadline_seconds=5))
    assert time.monotonic() - began < 5.5
    assert (found.rounds, found.verdict, found.reason) == (2, "too noisy", "the deadline of 5 s")


def test_a_crash_is_not_taken_for_the_deadline(tmp_path):
    raising = Subject("new", "subjects:raises_from_process", ("3", str(tmp_path / "counter")))
    with pytest.raises(MeasurementError, match="new: its process ended with exit code 1"):
        compare_subjects(raising, spin("old", 0), TEXTS, tmp_path / "out")


def test_no_round_at_all_is_an_error(tmp_path):
    hanging = Subject("new", "subjects:hangs", ("build",))
    with pytest.raises(MeasurementError, match="new: the time for the whole round was over while loading"):
        compare_subjects(hanging, spin("old", 0), TEXTS, tmp_path, until=Until(deadline_seconds=1))
