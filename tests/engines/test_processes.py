"""A second process makes some of the steps, and never outlives the run."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import pytest
import worked_steps
from worked_steps import step

from edgekd.engines import processes
from edgekd.engines.packing import pack_steps
from edgekd.engines.process import Process
from edgekd.engines.processes import Processes
from edgekd.progress import silent
from edgekd.store import Store

pytestmark = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="a helper needs a second core")
COMMAND = [sys.executable, "-m", "edgekd.engines.helper"]


@pytest.fixture
def notes():
    return []


@pytest.fixture
def engine(tmp_path, notes, monkeypatch):
    """Engine whose helper finds the steps of this folder, and is worth its start for few of them."""
    monkeypatch.setattr(processes, "WORTH", 2)
    paths = [str(Path(worked_steps.__file__).parent), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    return Processes(Process(Store(tmp_path / "store"), lambda title: nullcontext(silent), notes.append))


@pytest.fixture
def helpers(monkeypatch):
    """The helpers that were started."""
    found, start = [], processes.Helper.__init__

    def kept(helper, *given):
        start(helper, *given)
        found.append(helper)

    monkeypatch.setattr(processes.Helper, "__init__", kept)
    return found


def slow(log, name, *sources, **more):
    return step(name, *sources, kind="write_slowly", how={"log": str(log), "seconds": 0.3}, **more)


def processes_of(log) -> set[str]:
    return {line.rpartition(" ")[2] for line in log.read_text().splitlines()}


def test_both_make_steps_each_one_once_and_say_it_in_one_line(engine, helpers, notes, tmp_path):
    log = tmp_path / "log"
    ground = slow(log, "ground")
    steps = [slow(log, f"step-{number}", ground) for number in range(12)]
    made = engine.run([*steps, slow(log, "top", *steps[:2])])
    assert (made[-1].path / "words").read_text() == "ground step-0 ground step-1 top"
    assert sorted(note.partition(":")[0] for note in notes) == sorted(
        s.name for s in [ground, *steps, step("top")]
    )
    assert all(": done in " in note for note in notes)
    assert len(log.read_text().splitlines()) == 2 * 14
    assert processes_of(log) == {str(os.getpid()), str(helpers[0].process.pid)}
    assert helpers[0].process.returncode is not None


def test_a_step_that_is_alone_is_made_here_beside_no_other(engine, tmp_path):
    log = tmp_path / "log"
    others = [slow(log, f"step-{number}") for number in range(4)]
    engine.run([slow(log, "timed", alone=True), *others])
    lines = log.read_text().splitlines()
    (begins,) = (i for i, line in enumerate(lines) if line.startswith("timed begins"))
    assert lines[begins + 1].startswith("timed ends") and lines[begins].endswith(f" {os.getpid()}")


def test_a_helper_that_is_killed_is_said_and_its_steps_are_made_here(engine, helpers, notes):
    how = {"first": os.getpid()}
    steps = [step(f"step-{number}", kind="die_in_a_helper", how=how) for number in range(4)]
    slow_first = step("slow", kind="write_slowly", how={"log": os.devnull, "seconds": 3.0})
    assert len(engine.run([slow_first, *steps])) == 5
    assert helpers[0].process.returncode == -signal.SIGKILL
    faults = [note for note in notes if "process" in note]
    assert faults == ["a second process was ended by signal 9; this one makes what it has left"]


def test_what_goes_wrong_in_a_helper_is_raised_here(engine, tmp_path):
    steps = [slow(tmp_path / "log", f"step-{number}") for number in range(3)]
    bad = step("bad", kind="fail")
    assert {one.name for one in engine.run_all([*steps, bad, step("top", bad)], (Exception,))} == {
        "bad",
        "top",
    }
    assert engine.made.keys() == set(steps)


def test_few_steps_and_those_that_are_there_start_nothing(engine, helpers, monkeypatch):
    engine.run([step("a")])
    steps = [step(f"step-{number}") for number in range(4)]
    Process.run_all(engine, steps)
    engine.run([*steps, step("b", *steps)])
    assert helpers == []


def test_it_is_the_first_to_go_where_memory_is_short(engine, helpers, tmp_path):
    steps = [slow(tmp_path / "log", f"step-{number}") for number in range(6)]
    seen = []

    def note(words):
        score = Path(f"/proc/{helpers[0].process.pid}/oom_score_adj")
        seen.append(score.read_text().strip() if score.exists() else "")

    engine.note = note
    engine.run(steps)
    assert "1000" in seen


def test_it_ends_with_the_process_that_started_it(engine, tmp_path):
    log = tmp_path / "log"
    steps = [step("slow", kind="write_slowly", how={"log": str(log), "seconds": 60.0})]
    helper = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    helper.stdin.write(f"{engine.store.root}\n{pack_steps(steps, {})}\n".encode())
    helper.stdin.flush()
    until = time.monotonic() + 60
    while not log.exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert helper.poll() is None
    assert json.loads(helper.stdout.readline())[0] == "begins"
    helper.communicate(timeout=60)  # and the pipe is closed
    assert helper.returncode == -signal.SIGKILL
    assert not list((tmp_path / "store" / "slow").glob("*/stage.json"))
