"""Groups that hold what they say, go away whatever happens, and leave those of others alone."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgekd.measure.memory.group import PREFIX, V1, V2, make_group, sweep_groups
from edgekd.measure.memory.limit import find_limit

PARENT = """
import signal
import sys
from pathlib import Path
from edgekd.measure.memory.floor import find_memory_floor
from edgekd.measure.subject import Subject
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
subject = Subject("s", "floor_subjects:" + sys.argv[1], (sys.argv[2],))
find_memory_floor(subject, ["a text"], Path(sys.argv[3]))
"""
READER = """
import sys
open(sys.argv[1], "w").write("0")
held = bytearray(b"x") * (32 << 20)
from edgekd.measure.counters import read_group_peak
print(read_group_peak(), flush=True)
"""


@pytest.fixture
def limit():
    found, reasons = find_limit(("cgroup v2", "cgroup v1"))
    if found is None:
        pytest.skip("; ".join(reasons))
    return found


def files_of(limit):
    return V1 if limit.kind == "cgroup v1" else V2


def own_groups(limit):
    return set(limit.parent.glob(f"{PREFIX}-*"))


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition, seconds=15.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "took too long"
        time.sleep(0.01)


def test_groups_of_killed_runs_are_swept(tmp_path, limit):
    pid_file = tmp_path / "pid"
    before = own_groups(limit)
    command = [sys.executable, "-c", PARENT, "waits", str(pid_file), str(tmp_path / "out")]
    parent = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait_until(pid_file.exists)
        pid = int(pid_file.read_text())
        left = own_groups(limit) - before
        assert len(left) == 1
        assert str(pid) in next(iter(left)).joinpath("cgroup.procs").read_text().split()
        sweep_groups(limit.parent, files_of(limit))
        assert left <= own_groups(limit)  # its run goes on
    finally:
        parent.kill()
        parent.wait()
    wait_until(lambda: not is_alive(pid))
    assert left <= own_groups(limit)
    find_limit((limit.kind,))
    assert not left & own_groups(limit)


def test_a_group_in_the_making_is_not_swept(limit):
    group = make_group(limit.parent, files_of(limit))
    try:
        sweep_groups(limit.parent, files_of(limit))
        assert group.path.exists()
    finally:
        group.remove()
    assert not group.path.exists()


def test_no_process_stays_in_a_group(tmp_path, limit):
    pid_file = tmp_path / "pids"
    before = own_groups(limit)
    command = [sys.executable, "-c", PARENT, "leaves_a_process", str(pid_file), str(tmp_path / "out")]
    parent = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: pid_file.exists() and len(pid_file.read_text().splitlines()) > 3)
        parent.send_signal(signal.SIGINT)
    finally:
        parent.wait(15)
    wait_until(lambda: not any(is_alive(pid) for pid in pid_file.read_text().split()))
    assert own_groups(limit) == before


def test_a_limit_is_in_force_and_keeps_swap_out(limit):
    with limit.apply(16 << 20) as room:
        assert room.group.limit_bytes == str(16 << 20)
        swap = room.group.path / room.group.files.swap
        if swap.exists():
            assert swap.read_text().strip() == ("0" if limit.kind == "cgroup v2" else str(16 << 20))
        assert room.group.oom_kills == 0
    assert not room.group.path.exists()


def test_the_peak_is_of_a_group_that_holds_nobody_else(limit):
    with limit.apply(None) as room:
        command = [sys.executable, "-c", READER, str(room.group.entrance)]
        run = subprocess.run(command, capture_output=True, text=True, check=True, process_group=0)
        assert 32 << 20 <= int(run.stdout) < 40 << 20
        other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, process_group=0)
        try:
            room.group.entrance.write_text(str(other.pid))
            run = subprocess.run(command, capture_output=True, text=True, check=True, process_group=0)
            assert run.stdout == "None\n"
        finally:
            other.kill()
            other.wait()
            other.stdin.close()
    assert not room.group.path.exists()
