"""Floors of callables whose need of memory is known, under every kind of limit that this machine offers."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from edgekd.errors import BadInputError, MeasurementError
from edgekd.measure.memory.floor import Confirmation, find_memory_floor
from edgekd.measure.memory.limit import LADDER, find_limit
from edgekd.measure.memory.limited_process import Pace, Prober
from edgekd.measure.memory.probe import read_texts, write_texts
from edgekd.measure.subject import Subject

MIB = 1 << 20
TEXTS = ["one text", "another text", "a third"]
PATIENT = Pace(0, 30.0)
CORES = tuple(sorted(os.sched_getaffinity(0)))[-1:]


def offered(*kinds):
    limit, reasons = find_limit(kinds)
    if limit is None:
        pytest.skip("; ".join(reasons))
    return limit


@pytest.fixture
def make_prober(tmp_path):
    def make(limit, factory, *args):
        subject = Subject("s", f"floor_subjects:{factory}", tuple(map(str, args)))
        prober = Prober(subject, limit, CORES, tmp_path / "texts", tmp_path / "log")
        prober.write_texts(TEXTS)
        return prober

    return make


@pytest.fixture
def group_limit():
    return offered("cgroup v2", "cgroup v1")


@pytest.mark.parametrize("kind", LADDER)
@pytest.mark.long
def test_the_floor_moves_by_known_memory(tmp_path, kind):
    offered(kind)
    floors = [
        find_memory_floor(Subject("s", "floor_subjects:holds", (str(size),)), TEXTS, tmp_path, kinds=(kind,))
        for size in (16, 112)
    ]
    for floor in floors:
        assert floor.kind == kind
        assert floor.reason == ""
        assert floor.confirmation.holds
        assert floor.confirmation.floor_bytes == floor.floor_bytes
        assert {probe.outcome for probe in floor.tried if probe.limit_bytes < 0.9 * floor.floor_bytes} <= {
            "killed" if kind.startswith("cgroup") else "error"
        }
    assert (floors[1].floor_bytes - floors[0].floor_bytes) / (96 * MIB) == pytest.approx(1, abs=0.05)
    assert not list(tmp_path.iterdir())


def test_the_best_limit_of_the_ladder_is_taken():
    offers = [kind for kind in LADDER if find_limit((kind,))[0]]
    limit, skipped = find_limit()
    assert limit.kind == offers[0]
    assert [reason.partition(":")[0] for reason in skipped] == list(LADDER[: LADDER.index(offers[0])])


def test_no_limit_is_not_measured(tmp_path):
    missing = [kind for kind in LADDER if not find_limit((kind,))[0]]
    floor = find_memory_floor(Subject("s", "operator:truth"), TEXTS, tmp_path / "none", kinds=missing)
    assert (floor.kind, floor.floor_bytes, floor.confirmation, floor.tried) == (None, None, None, ())
    assert floor.unlimited_peak_bytes is None
    assert floor.reason
    assert all(kind in floor.reason for kind in missing)
    assert not (tmp_path / "none").exists()


def test_a_limit_from_outside_is_no_rung():
    """A process under a hard limit of its own cannot be given a higher one."""
    code = "from edgekd.measure.memory.limit import find_limit; print(find_limit(('RLIMIT_AS',)))"
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 40)),
    )
    assert found.stdout == "(None, ('RLIMIT_AS: limited to 1099511627776 bytes from outside',))\n"


def test_a_kill_by_the_limit_is_told_from_others(make_prober, group_limit):
    assert make_prober(group_limit, "holds", 64).probe(32 * MIB, PATIENT).outcome == "killed"
    assert make_prober(group_limit, "holds", 64).probe(128 * MIB, PATIENT).outcome == "answered"
    probe = make_prober(group_limit, "kills_itself").probe(128 * MIB, PATIENT)
    assert (probe.outcome, probe.detail) == ("error", "killed by SIGKILL")
    probe = make_prober(group_limit, "raises", "no weights").probe(128 * MIB, PATIENT)
    assert (probe.outcome, probe.detail) == ("error", "exit code 1: ValueError: no weights")


def test_a_crash_under_a_resource_limit_is_an_error(make_prober):
    probe = make_prober(offered("RLIMIT_DATA"), "crashes_without", 64).probe(32 * MIB, PATIENT)
    assert (probe.outcome, probe.detail) == ("error", "killed by SIGABRT")


@pytest.mark.long
def test_reading_files_again_and_again_is_not_answering(tmp_path, make_prober, group_limit):
    file = tmp_path / "weights"
    file.write_bytes(bytes(32 * MIB))
    prober = make_prober(group_limit, "reads_anew", file)
    unlimited, empty = prober.probe(None, PATIENT), make_prober(group_limit, "holds", 0).probe(None, PATIENT)
    # The file was in memory, written by this process; it was put out so that it counts.
    assert (unlimited.counted_bytes - empty.counted_bytes) / (32 * MIB) == pytest.approx(1, abs=0.05)
    pace = Pace(2 * unlimited.median_ns, 5.0 + 5 * unlimited.seconds)
    assert prober.probe(unlimited.counted_bytes + 2 * MIB, pace).outcome == "answered"
    thrashing = prober.probe(unlimited.counted_bytes - 16 * MIB, pace)
    assert thrashing.outcome == "too slow"
    assert thrashing.seconds < pace.seconds + 1


def test_a_process_that_hangs_is_ended(tmp_path, make_prober, group_limit):
    probe = make_prober(group_limit, "waits", tmp_path / "pid").probe(None, Pace(0, 1.0))
    assert (probe.outcome, probe.detail) == ("too slow", "ended after 1.0 s")
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text()}").exists()


def test_what_does_not_answer_without_a_limit_has_no_floor(tmp_path):
    with pytest.raises(
        MeasurementError, match=r"without a memory limit either \(error: exit code 1: .*broken"
    ):
        find_memory_floor(Subject("s", "floor_subjects:raises", ("broken",)), TEXTS, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("texts", "tolerance"), [([], 0.01), (TEXTS, 0.0), (TEXTS, 0.2)])
def test_bad_input_is_named(tmp_path, texts, tolerance):
    with pytest.raises(BadInputError, match=r"texts|tolerance"):
        find_memory_floor(Subject("s", "operator:truth"), texts, tmp_path, tolerance=tolerance)


def test_texts_cross_over_unchanged(tmp_path):
    texts = ["", "a b", "line\r\nline\r", "\ud800 lone", "naïve 漢字 \0", "12 3\n"]
    write_texts(str(tmp_path / "texts"), texts)
    assert read_texts(str(tmp_path / "texts")) == texts


def test_a_confirmation_allows_one_of_ten_below():
    assert Confirmation(1, 10, 10, 1).holds
    assert not Confirmation(1, 10, 10, 2).holds
    assert not Confirmation(1, 10, 9, 0).holds
