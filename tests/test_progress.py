"""Where no bar can be drawn, a line says how far a job is; on a terminal nothing of it is printed."""

import io
import os
import pty
import subprocess
import sys
import threading
import time

import pytest

from edgekd.progress import show_progress, spoken

LABEL = """
import sys
from edgekd import progress
progress.EVERY_SECONDS = float(sys.argv[1])
from edgekd.cli.main import main
sys.argv = ["edgekd", *sys.argv[2:]]
main()
"""


def lines_of(work, every_seconds=0.05):
    said = []
    with spoken(lambda words: said.append((time.monotonic(), words)), every_seconds) as speaker:
        work(speaker)
    return said


def test_a_line_comes_when_nothing_was_said_for_a_while():
    def work(speaker):
        with speaker.show("teacher") as progress:
            progress(0.25, "epoch 1 of 4, 812 rows/s")
            time.sleep(0.3)

    said = [words for _, words in lines_of(work)]
    assert 2 <= len(said) <= 6
    assert said[0].startswith("teacher: 25% after 0 s, about 0 s left, epoch 1 of 4, 812 rows/s")


def test_it_speaks_between_two_jobs_and_of_a_job_that_says_nothing():
    def work(speaker):
        time.sleep(0.15)
        with speaker.show("compile/a"):
            time.sleep(0.15)
        time.sleep(0.15)

    titles = [words.partition(":")[0] for _, words in lines_of(work)]
    assert list(dict.fromkeys(titles)) == ["still at work", "compile/a"]
    assert titles[-1] == "still at work"


def test_a_note_is_a_line_too():
    def work(speaker):
        for _ in range(30):
            speaker.note("a step is done")
            time.sleep(0.01)

    assert {words for _, words in lines_of(work, 0.2)} == {"a step is done"}


def test_the_thread_ends_with_the_block(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    before = threading.active_count()
    with show_progress("bench") as progress:
        progress(0.5, "half")
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
    assert sys.stderr.getvalue() == ""  # it took no 30 s


@pytest.mark.long
def test_through_a_pipe_a_run_says_stage_epoch_rate_and_time_left(small_project):
    command = [sys.executable, "-c", LABEL, "0.05", "label", str(small_project)]
    settings = ["--set", "teacher.training.epochs=3"]
    done = subprocess.run([*command, *settings], capture_output=True, text=True, check=True)
    lines = [line for line in done.stderr.splitlines() if line.startswith("teacher: ")]
    assert [line for line in lines if "% after " in line and " left, epoch " in line and " rows/s" in line]
    assert lines[-1].startswith("teacher: done in ")


def test_on_a_terminal_there_is_a_bar_and_no_such_line():
    code = (
        "import time; from edgekd import progress; progress.EVERY_SECONDS = 0.02\n"
        "with progress.show_progress('bench') as p: p(0.5, 'half'); time.sleep(0.4)"
    )
    ours, theirs = pty.openpty()
    shell = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    subprocess.run([sys.executable, "-c", code], stderr=theirs, check=True, env=shell)
    os.close(theirs)
    seen = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert "━" in seen and "half" in seen and "% after" not in seen and "so far" not in seen
