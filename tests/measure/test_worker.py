"""What the measured process costs and how it ends with its parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgekd.measure.process import Child
from edgekd.measure.samples import read_samples
from edgekd.measure.subject import Subject

PARENT = """
import signal
import sys
from pathlib import Path
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.session import measure_subjects
from edgekd.measure.subject import Subject
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
echo = Subject("echo", "subjects:echo", (sys.argv[2],))
subjects = [echo, Subject("other", "subjects:" + sys.argv[3], tuple(sys.argv[4:]))]
measure_subjects(subjects, ["a", "b"], Path(sys.argv[1]), MeasurePlan(rounds=2, seconds=30, warmup_seconds=0))
"""


def start(tmp_path, subject, small_plan, inputs='{"texts": ["a"], "order": [0]}'):
    (tmp_path / "first").write_text("a")
    (tmp_path / "inputs").write_text(inputs)
    child = Child(subject, tmp_path / "log")
    try:
        child.start(
            small_plan, os.sched_getaffinity(0), *(tmp_path / n for n in ("first", "inputs", "s", "w"))
        )
    except BaseException:
        child.kill()
        raise
    return child


def is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"  # nobody may be there to reap it


def wait_until(condition, seconds=15.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "took too long"
        time.sleep(0.01)


def test_the_worker_imports_next_to_nothing():
    run = subprocess.run(
        [sys.executable, "-P", "-X", "importtime", "-c", "import edgekd.measure.worker"],
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in run.stderr.splitlines()}
    assert "edgekd.measure.worker" in imported
    heavy = ("numpy", "scipy", "pydantic", "json", "ctypes", "dataclasses", "pathlib", "edgekd.stats")
    assert not [name for name in imported if name.startswith(heavy)]


def test_a_subject_starts_in_a_bare_process(tmp_path, small_plan):
    child = start(tmp_path, Subject("bare", "bare:modules", (str(tmp_path / "modules"),)), small_plan)
    child.kill()
    modules = set((tmp_path / "modules").read_text().split())
    assert {name for name in modules if name.startswith("edgekd")} == {
        "edgekd",
        "edgekd.measure",
        "edgekd.measure.counters",
    }
    assert not modules & {"numpy", "scipy", "pydantic", "json", "ctypes", "hashlib", "gc", "mmap"}


def test_every_process_gets_the_same_settings(tmp_path, small_plan, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("PYTHONDEVMODE", "1")
    names = ("OMP_NUM_THREADS", "GLIBC_TUNABLES", "PYTHONHASHSEED", "PYTHONDEVMODE")
    child = start(tmp_path, Subject("e", "subjects:environment_of", names), small_plan)
    child.kill()
    assert "{'OMP_NUM_THREADS': '1'" in child.answers[0]
    assert "'GLIBC_TUNABLES': 'glibc.malloc.hugetlb=1', 'PYTHONHASHSEED': '0'" in child.answers[0]
    assert "'PYTHONDEVMODE': None" in child.answers[0]


def test_a_child_runs_blocks_and_reports(tmp_path, small_plan):
    child = start(tmp_path, Subject("spin", "subjects:spin", ("200",)), small_plan)
    for _ in range(3):
        child.run_block(5_000_000, 10)
    report = child.finish(10)
    assert child.blocks == 3
    assert child.timed_ns >= 15_000_000
    samples = read_samples(tmp_path / "s")
    assert set(samples.blocks.tolist()) == {0, 1, 2}
    assert 200_000 <= samples.ns.min() < 250_000
    assert report["overhead_ns"] < 1000
    assert report["loop_ns"] < 2000
    stages = report["cold_start"]
    assert 0 <= stages["total_ns"] - sum(v for k, v in stages.items() if k != "total_ns") < 500_000_000
    assert not (tmp_path / "log").exists()


def test_known_memory_is_found(tmp_path, small_plan):
    reports = {}
    for name, subject in {
        "none": Subject("none", "subjects:echo"),
        "held": Subject("held", "subjects:holds", ("64",)),
        "peak": Subject("peak", "subjects:peaks", ("64",)),
    }.items():
        child = start(tmp_path, subject, small_plan)
        child.run_block(5_000_000, 10)
        reports[name] = child.finish(10)["memory"]
    size = 64 << 20

    def above(name, key):
        return (reports[name][key] - reports["none"][key]) / size

    for key in (
        "loaded_rss_bytes",
        "steady_rss_bytes",
        "steady_pss_bytes",
        "steady_uss_bytes",
        "peak_rss_bytes",
    ):
        assert above("held", key) == pytest.approx(1, abs=0.02), key
    peak = reports["peak"]["peak_rss_bytes"] - reports["none"]["loaded_rss_bytes"]
    assert peak / size == pytest.approx(1, abs=0.02)
    assert above("peak", "steady_rss_bytes") == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize(
    ("how", "where"),
    [
        (signal.SIGKILL, "build"),
        (signal.SIGKILL, "answer"),
        (signal.SIGKILL, "grandchild"),
        (signal.SIGINT, "grandchild"),
    ],
)
def test_no_process_outlives_its_parent(tmp_path, how, where):
    echo, hanging = tmp_path / "echo", tmp_path / "hanging"
    arguments = [str(tmp_path / "out"), str(echo), "hangs", where, str(hanging)]
    parent = subprocess.Popen([sys.executable, "-c", PARENT, *arguments], stderr=subprocess.DEVNULL)
    try:
        wait_until(hanging.exists)
        pids = [int(pid) for pid in (echo.read_text() + " " + hanging.read_text()).split()]
        assert len(pids) == (3 if where == "grandchild" else 2)
        assert all(is_alive(pid) for pid in pids)
        parent.send_signal(how)
        wait_until(lambda: not any(is_alive(pid) for pid in pids))
    finally:
        parent.kill()
        parent.wait()


def test_samples_survive_a_kill_in_the_timed_loop(tmp_path):
    arguments = [str(tmp_path / "out"), str(tmp_path / "pid"), "spin", "100"]
    parent = subprocess.Popen([sys.executable, "-c", PARENT, *arguments], stderr=subprocess.DEVNULL)
    path = tmp_path / "out" / "latency" / "other-0.npy"
    try:
        wait_until(lambda: path.exists() and len(read_samples(path)) > 100)
    finally:
        parent.kill()
        parent.wait()
    found = read_samples(path)
    assert len(found) > 100
    assert found.ns.min() >= 100_000
    assert not (tmp_path / "out" / "bench.json").exists()
