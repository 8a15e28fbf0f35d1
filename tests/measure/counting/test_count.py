"""Counting instructions: of the calls alone, exactly, the same from process to process."""

import dataclasses
import functools
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgekd.errors import BadInputError, MeasurementError, MissingRuntimeError
from edgekd.measure.counting.count import count_instructions
from edgekd.measure.counting.result import COUNT_EFFECT, compare_counts
from edgekd.measure.counting.worker import list_sets, open_perf, read_perf
from edgekd.measure.environment import read_environment
from edgekd.measure.subject import Subject


def counters_work():
    try:
        os.close(open_perf())
    except OSError:
        return False
    return True


COUNTERS_WORK = counters_work()
CALLGRIND = not COUNTERS_WORK and shutil.which("valgrind") is not None
needs_tool = pytest.mark.skipif(
    not (COUNTERS_WORK or CALLGRIND), reason="no performance counters here, and valgrind is not installed"
)
needs_callgrind = pytest.mark.skipif(
    not CALLGRIND, reason="valgrind is not installed, or performance counters count instead of it"
)
needs_x86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="the instruction is one of x86")

PARENT = """
import sys
from pathlib import Path
from edgekd.measure.counting.count import count_instructions
from edgekd.measure.subject import Subject
hanging = Subject("hanging", "counting_subjects:hangs_below_valgrind", (sys.argv[2],))
count_instructions(hanging, ["a"], Path(sys.argv[1]))
"""


def count(tmp_path, factory, *args, inputs=("a",), calls=4, **more):
    return count_instructions(
        Subject(factory, f"counting_subjects:{factory}", args), inputs, tmp_path, calls=calls, **more
    )


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """Counts of loops that several tests look at, each made once."""
    return functools.cache(lambda turns: count(tmp_path_factory.mktemp("counted"), "loop", turns))


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "took too long"
        time.sleep(0.01)


@needs_tool
def test_a_known_number_of_instructions_is_found(tmp_path):
    short, long = (count(tmp_path, "machine_loop", turns) for turns in ("1000", "1001000"))
    assert long.per_call - short.per_call == pytest.approx(2_000_000, abs=200)
    assert long.total - short.total == pytest.approx(4 * 2_000_000, abs=800)


@needs_tool
def test_twice_the_steps_take_twice_the_instructions(tmp_path, counted):
    once, twice = counted("30000"), count(tmp_path, "loop", "60000")
    # What a call takes beside its steps is less than a hundredth of them.
    assert twice.per_call / once.per_call == pytest.approx(2, rel=0.01)
    change = compare_counts(twice, once)
    assert (change.verdict, change.effect) == ("more", COUNT_EFFECT)
    assert change.ratio == twice.total / once.total
    assert compare_counts(once, twice).verdict == "fewer"


@needs_tool
def test_processes_agree(tmp_path, counted):
    counts = [counted("30000"), *(count(tmp_path, "loop", "30000") for _ in range(2))]
    totals = [found.total for found in counts]
    assert statistics.stdev(totals) / statistics.mean(totals) < 0.005
    assert compare_counts(counts[0], counts[1]).verdict == "no change"


@needs_tool
def test_loading_and_warming_up_are_not_counted(tmp_path, counted):
    light = counted("30000")
    heavy = count(tmp_path, "loop_after_heavy_work", "30000", "3000000")
    # Building it takes 25 times what all the counted calls take.
    assert heavy.total == pytest.approx(light.total, rel=0.005)


@needs_tool
def test_every_call_is_kept_with_its_own_count(tmp_path):
    inputs = ["a", "aaaa", "aa", "aaa", "aaaaa", "aaaaaaa"]
    found = count(tmp_path, "loop_per_letter", "10000", inputs=inputs, calls=3)
    letters = [1, 2, 5]  # evenly spaced
    steps = [(calls - found.loop) / number for calls, number in zip(found.calls, letters, strict=True)]
    assert max(steps) / min(steps) < 1.02
    assert found.per_call == found.calls[1] - found.loop
    document = json.loads((tmp_path / "loop_per_letter.counts.json").read_text())
    assert tuple(document["calls"]) == found.calls
    assert [path.name for path in tmp_path.iterdir()] == ["loop_per_letter.counts.json"]
    again = count(tmp_path, "loop_per_letter", "10000", inputs=["a", "aa"], calls=3)
    assert again.calls[2] == pytest.approx(again.calls[0], rel=0.01)


@needs_tool
def test_it_says_how_it_counted(counted):
    found = counted("100")
    sets = read_environment(1).isa
    assert set(found.isa) | set(found.hidden) == set(sets)
    assert not set(found.isa) & set(found.hidden)
    said = " ".join(found.notes)
    for part in (found.tool, found.reason, *found.isa, *found.hidden, "times as long", "hash seed 0"):
        assert part in said
    assert found.slowdown >= 1


@needs_callgrind
@needs_x86
def test_callgrind_hides_avx512(counted):
    found = counted("100")
    assert "callgrind of valgrind-3" in found.tool
    assert set(found.hidden) >= {name for name in read_environment(1).isa if name.startswith("avx512")}
    assert not [name for name in found.isa if name.startswith("avx512")]
    assert found.slowdown > 2


def test_the_instruction_sets_are_those_that_the_kernel_lists():
    assert tuple(list_sets()) == read_environment(1).isa


@pytest.mark.skipif(not COUNTERS_WORK, reason="this machine's instruction counter does not open")
def test_the_counter_of_the_machine_counts():
    file = open_perf()
    try:
        marks = [read_perf(file), read_perf(file)]
        sum(range(1_000_000))
        marks.append(read_perf(file))
    finally:
        os.close(file)
    assert marks[2] - marks[1] > 1_000_000 > marks[1] - marks[0] > 0


@needs_callgrind
@needs_x86
def test_an_instruction_that_valgrind_does_not_know_is_one_line(tmp_path):
    with pytest.raises(MeasurementError, match="packed_decimal: valgrind does not know") as caught:
        count(tmp_path, "packed_decimal")
    assert "unhandled instruction bytes: 0xDF 0x37" in str(caught.value)
    assert "\n" not in str(caught.value)


@needs_tool
@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("raises_at_build", r"being counted .*ValueError: the file is broken"),
        ("none_later", r"answered None to text 2"),
        ("dies", r"killed by SIGSEGV while being counted"),
    ],
)
def test_a_subject_that_fails_is_one_line(tmp_path, factory, message):
    with pytest.raises(MeasurementError, match=message) as caught:
        count(tmp_path, factory)
    assert "\n" not in str(caught.value)


@needs_tool
def test_a_subject_that_hangs_is_ended(tmp_path):
    with pytest.raises(MeasurementError, match=r"no answer within 0\.5 s"):
        count(tmp_path, "hangs", str(tmp_path / "pid"), timeout_seconds=0.5)
    assert not is_alive(int((tmp_path / "pid").read_text()))


@needs_callgrind
def test_no_process_outlives_its_parent(tmp_path):
    pid_file = tmp_path / "pid"
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "out"), str(pid_file)], stderr=subprocess.DEVNULL
    )
    try:
        wait_until(pid_file.exists)
        pid = int(pid_file.read_text())
        assert is_alive(pid)
        parent.kill()
        wait_until(lambda: not is_alive(pid))
    finally:
        parent.kill()
        parent.wait()


def test_without_a_tool_it_says_what_to_install(tmp_path, monkeypatch):
    if COUNTERS_WORK:
        pytest.skip("performance counters count here, with nothing installed")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingRuntimeError, match="apt-get install valgrind"):
        count(tmp_path, "loop", "10")


@pytest.mark.parametrize("changes", [{"inputs": ()}, {"calls": 0}, {"threads": 0}])
def test_nothing_to_count_is_refused(tmp_path, changes):
    with pytest.raises(BadInputError, match="nothing to count"):
        count(tmp_path, "loop", "10", **changes)


@needs_tool
def test_unlike_counts_do_not_compare(counted):
    one = counted("100")
    for name, value in (("tool", "another"), ("isa", ("sse4_2",)), ("inputs_sha256", "x"), ("threads", 2)):
        with pytest.raises(BadInputError, match=f"do not compare.*{name}: "):
            compare_counts(one, dataclasses.replace(one, **{name: value}))


@needs_tool
def test_a_change_is_one_from_the_stated_effect_on(counted):
    one = dataclasses.replace(counted("100"), calls=(1_000_000,) * 4, loop=0)
    for calls, verdict in (
        (1_004_900, "no change"),
        (1_005_100, "more"),
        (995_100, "no change"),
        (994_900, "fewer"),
    ):
        assert compare_counts(dataclasses.replace(one, calls=(calls,) * 4), one).verdict == verdict
