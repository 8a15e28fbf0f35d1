"""What the measured process costs and how it ends with its parent."""

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import staged

from edgekd.measure.audit import read_answers
from edgekd.measure.process import Child, Given, Made
from edgekd.measure.process_bench import STAGES
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
    given = Given(tmp_path / "first", tmp_path / "inputs")
    given.first.write_text("a")
    given.inputs.write_text(inputs)
    child = Child(subject, tmp_path / "log")
    try:
        made = Made(*(tmp_path / name for name in ("samples", "warmup", "answers")))
        child.start(small_plan, os.sched_getaffinity(0), given, made)
    except BaseException:
        child.kill()
        raise
    return child


def measure(tmp_path, subject, small_plan):
    child = start(tmp_path, subject, small_plan)
    try:
        child.run_block(5_000_000, 10)
        return child.finish(10)
    finally:
        child.kill()


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
        "edgekd.quiet",
    }
    assert not modules & {"numpy", "scipy", "pydantic", "json", "ctypes", "hashlib", "gc", "mmap"}


def test_every_process_gets_the_same_settings(tmp_path, small_plan, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("PYTHONDEVMODE", "1")
    names = ("OMP_NUM_THREADS", "GLIBC_TUNABLES", "PYTHONHASHSEED", "PYTHONDEVMODE")
    measure(tmp_path, Subject("e", "subjects:environment_of", names), small_plan)
    answer = read_answers(tmp_path / "answers").untimed[0]
    assert "{'OMP_NUM_THREADS': '1'" in answer
    assert "'GLIBC_TUNABLES': 'glibc.malloc.hugetlb=1', 'PYTHONHASHSEED': '0'" in answer
    assert "'PYTHONDEVMODE': None" in answer


def test_a_child_runs_blocks_and_reports(tmp_path, small_plan):
    child = start(tmp_path, Subject("spin", "subjects:spin", ("200",)), small_plan)
    for _ in range(3):
        child.run_block(5_000_000, 10)
    report = child.finish(10)
    assert child.blocks == 3
    assert child.timed_ns >= 15_000_000
    samples = read_samples(tmp_path / "samples")
    assert set(samples.blocks.tolist()) == {0, 1, 2}
    assert 200_000 <= samples.ns.min() < 250_000
    assert report["overhead_ns"] < 1000
    assert report["loop_ns"] < 2000
    stages = report["cold_start"]
    assert stages.pop("parts") == []
    total = stages.pop("total_ns")
    assert 0 <= total - sum(stages.values()) < 500_000_000
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize("kind", ["rss_bytes", "pss_bytes", "uss_bytes"])
def test_known_memory_is_found_at_each_stage(tmp_path, small_plan, kind):
    empty = measure(tmp_path, Subject("none", "subjects:echo"), small_plan)["memory"]
    grown = measure(tmp_path, Subject("grows", "staged:grows"), small_plan)["memory"]
    steps = {}
    for before, stage in itertools.pairwise(STAGES):
        steps[stage] = grown[stage][kind] - grown[before][kind]
    steps["steady"] -= empty["steady"][kind] - empty["loaded"][kind]
    for stage, step in steps.items():
        assert step / staged.SIZE == pytest.approx(1, abs=0.02), stage
    assert grown["baseline"][kind] == pytest.approx(empty["baseline"][kind], rel=0.1)


def test_the_peak_is_found_with_its_stage(tmp_path, small_plan):
    empty, peak, held = (
        measure(tmp_path, Subject("s", f"subjects:{factory}", args), small_plan)["memory"]
        for factory, args in (("echo", ()), ("peaks", ("64",)), ("holds", ("64",)))
    )
    size = 64 << 20
    assert (peak["peak_rss_bytes"] - empty["built"]["rss_bytes"]) / size == pytest.approx(1, abs=0.02)
    assert peak["peak_stage"] == "built"
    assert (peak["steady"]["rss_bytes"] - empty["steady"]["rss_bytes"]) / size == pytest.approx(0, abs=0.02)
    assert (held["peak_rss_bytes"] - empty["peak_rss_bytes"]) / size == pytest.approx(1, abs=0.02)
    assert held["peak_stage"] == "steady"


def test_reading_memory_stops_the_clock(tmp_path, small_plan):
    """Half a gibibyte in small pages takes the kernel milliseconds to walk; no stage may show them."""
    cold_start = measure(tmp_path, Subject("s", "staged:in_small_pages", ("512",)), small_plan)["cold_start"]
    assert cold_start["first_answer_ns"] < 1_000_000
    parts = sum(cold_start[f"{stage}_ns"] for stage in ("process", "import", "factory", "first_answer"))
    assert 0 <= cold_start["total_ns"] - parts < 3_000_000


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
