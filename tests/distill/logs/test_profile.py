import time

import pytest

from edgekd.distill.logs.profile import StageClock, join_profiles, name_bottleneck

FRACTIONS = (
    "input_pipeline_wait_fraction", "teacher_forward_fraction", "student_step_fraction", "judging_fraction",
    "checkpoint_time_fraction", "other_fraction",
)  # fmt: skip


class Clock:
    """A clock that is set by hand, in nanoseconds."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


def spend(**seconds: float):
    """The profile of an epoch of one row of 10 tokens a second, whose phases take this long, twice each."""
    wall, cpu = Clock(), Clock()
    clock = StageClock(wall, cpu)
    for _ in range(2):
        for phase, duration in seconds.items():
            clock.switch(phase)
            wall.now += int(duration / 2 * 1e9)
    cpu.now = wall.now
    clock.count(int(sum(seconds.values())), 10 * int(sum(seconds.values())))
    return clock.profile("small", 3, threads=2)


def test_shares_rates_and_use_are_exact():
    found = spend(input=1, teacher=2, student=5, judging=1.5, checkpoint=0.5)
    assert [getattr(found, name) for name in FRACTIONS] == pytest.approx([0.1, 0.2, 0.5, 0.15, 0.05, 0])
    assert (found.job, found.epoch, found.seconds) == ("small", 3, pytest.approx(10))
    assert (found.rows_per_second, found.tokens_per_second) == (pytest.approx(1), pytest.approx(10))
    assert found.cpu_utilization == pytest.approx(0.5) and found.gpu_utilization is None


def test_each_epoch_begins_anew():
    wall = Clock()
    clock = StageClock(wall, Clock())
    for seconds in (4, 1):
        clock.switch("student")
        wall.now += seconds * 10**9
        assert clock.profile("small", 1, threads=1).seconds == seconds
    assert clock.profile("small", 1, threads=1).tokens_per_second == 0


def test_adds_up_to_the_wall_time():
    began = time.perf_counter()
    clock = StageClock()
    for _ in range(5):
        for phase, seconds in (("input", 0.002), ("student", 0.006), ("checkpoint", 0.002), ("other", 0.0)):
            clock.switch(phase)
            time.sleep(seconds)
    found = clock.profile("small", 1, threads=1)
    assert found.seconds == pytest.approx(time.perf_counter() - began, rel=0.05)
    assert sum(getattr(found, name) for name in FRACTIONS) == pytest.approx(1)
    assert found.student_step_fraction > found.input_pipeline_wait_fraction > 0.05


def test_a_switch_costs_next_to_nothing():
    clock, began = StageClock(), time.process_time()
    for _ in range(10_000):
        clock.switch("student")
    assert (time.process_time() - began) / 10_000 < 1e-5


@pytest.mark.parametrize(
    ("seconds", "phase", "words"),
    [
        ({"input": 4, "student": 6}, "input", "40 % of the time is waiting for input"),
        ({"teacher": 5, "student": 5}, "teacher", "edgekd label"),
        ({"checkpoint": 2, "student": 8}, "checkpoint", "faster disk"),
        ({"judging": 5, "student": 5}, "judging", "fewer validation rows"),
        ({"other": 5, "student": 5}, "other", "no phase names"),
        ({"teacher": 3, "input": 3, "student": 4}, "input", "30 %"),  # the furthest above its bound
    ],
)
def test_what_starves_the_job_is_named(seconds, phase, words):
    found = name_bottleneck(spend(**seconds))
    assert found.is_starved and found.phase == phase and words in found.words and ": " in found.words


def test_nothing_starves_it():
    found = name_bottleneck(spend(student=9, input=0.5, judging=0.5))
    assert not found.is_starved and found.phase == "student" and found.share == pytest.approx(0.9)
    assert "90 % of the time" in found.words and "CPU is busy 50 %" in found.words
    on_gpu = spend(student=9, input=0.5).model_copy(update={"gpu_utilization": 0.3})
    assert "GPU is busy 30 %" in name_bottleneck(on_gpu).words


def test_a_short_epoch_asks_for_nothing():
    """No disk is worth buying for what 0.6 s of 0.8 s are spent on."""
    found = name_bottleneck(spend(checkpoint=0.6, student=0.2))
    assert not found.is_starved and found.words == "an epoch takes 0.8 s: no part of it is worth an action"
    assert name_bottleneck(spend(checkpoint=3, student=7)).is_starved
    # The share decides among the phases that take time at all.
    assert name_bottleneck(spend(checkpoint=0.9, teacher=1.2, student=2)).phase == "teacher"


def test_a_whole_training_is_read_and_not_its_last_epoch():
    """Features are matched in the first epochs: the last one knows nothing of the teacher."""
    epochs = [spend(teacher=6, student=4), spend(student=5).model_copy(update={"gpu_utilization": 0.5})]
    found = join_profiles(epochs)
    assert [getattr(found, name) for name in FRACTIONS] == pytest.approx([0, 0.4, 0.6, 0, 0, 0])
    assert (found.seconds, found.rows_per_second) == (pytest.approx(15), pytest.approx(1))
    assert found.gpu_utilization == 0.5  # of the epoch that knows it
    words = name_bottleneck(found, matches_features=True).words
    assert "40 % of the time is the teacher's forward pass" in words
    assert "fewer epochs" in words and "label" not in words.partition("label spares")[0]
    assert not name_bottleneck(epochs[-1]).is_starved
