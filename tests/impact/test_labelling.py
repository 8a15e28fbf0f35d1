import pytest

from edgekd.impact.labelling import teacher_hours


def test_hours_of_labelling_are_the_worked_ones(golden):
    worked = golden["teacher_labeling"]
    examples, ms = worked["examples"], worked["ms_per_example"]
    assert teacher_hours(examples, ms) == pytest.approx(worked["hours_inline"], abs=0.05)
    left = teacher_hours(examples, ms, reused_share=worked["reduction_when_precomputed"])
    assert left == pytest.approx(worked["hours_left"], abs=0.05)
