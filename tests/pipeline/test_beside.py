"""A second process compiles the same stages, and never outlives the run."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgekd.cli.verbs import open_context
from edgekd.pipeline import beside

pytestmark = pytest.mark.slow


@pytest.fixture
def context(project):
    return open_context(project / "project.yaml", ())


@pytest.fixture
def started(monkeypatch):
    """The helpers that were started."""
    helpers, start = [], beside._start

    def kept(*asked):
        helpers.append(start(*asked))
        return helpers[-1]

    monkeypatch.setattr(beside, "_start", kept)
    return helpers


def records(store: Path):
    return {
        str(path.relative_to(store)): json.loads(path.read_text())["files"]
        for path in sorted((store / "compile").rglob("stage.json"))
    }


def test_it_makes_the_same_artifacts(context, started):
    kept = records(context.store.root)
    assert len(kept) >= 3 and any("teacher" in name for name in kept)
    shutil.rmtree(context.store.root / "compile")
    with beside._start(context, "bench", ()) as helper:
        assert helper.wait(timeout=300) == 0
    made = records(context.store.root)
    for name, files in made.items():
        assert {n: d for n, d in files.items() if not n.startswith("logs/")} == {
            n: d for n, d in kept[name].items() if not n.startswith("logs/")
        }
    assert made.keys() == kept.keys()


def test_it_starts_with_the_first_build_and_ends_with_the_block(context, started):
    with beside.helped(context, "bench", (), beside.WORTH) as compiling:
        assert started == []
        for title in ("compile/a", "compile/b"):
            with compiling.show_progress(title):
                assert len(started) == 1 and started[0].poll() is None
        score = Path(f"/proc/{started[0].pid}/oom_score_adj")
        until = time.monotonic() + 60
        while score.read_text().strip() != "1000" and time.monotonic() < until:
            time.sleep(0.05)
        assert score.read_text().strip() == "1000"  # the first to go where memory is short
    assert started[0].returncode is not None


def test_a_helper_that_dies_is_no_loss(context, started, monkeypatch):
    monkeypatch.setattr(beside.sys, "executable", "/bin/false")
    with beside.helped(context, "bench", (), beside.WORTH) as compiling, compiling.show_progress("compile/a"):
        assert started[0].wait(timeout=60) == 1
    assert started[0].stdin.closed


def test_few_artifacts_are_compiled_alone(context):
    with beside.helped(context, "bench", (), beside.WORTH - 1) as compiling:
        assert compiling is context


def test_it_ends_with_the_process_that_started_it(context):
    command = [sys.executable, "-m", "edgekd.pipeline.beside", str(context.folder), "bench"]
    helper = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, stderr=subprocess.PIPE)
    shutil.rmtree(context.store.root / "compile")
    helper.communicate(context.project.model_dump_json() + "\n", timeout=60)  # and the pipe is closed
    assert helper.returncode in (1, -signal.SIGKILL)  # gone before it asked the kernel, or after
    assert records(context.store.root) == {}
