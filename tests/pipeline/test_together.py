import json
import os
import subprocess
import sys

import pytest


@pytest.mark.long
def test_torchrun_trains_what_one_process_then_finds(small_project, run_edgekd):
    """Two processes train teacher and student of one workspace; only the first writes and goes on."""
    together = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [sys.executable, *together, "-m", "edgekd", "distill", "project.yaml", "--json"],
        cwd=small_project.parent, capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", "PYTHONFAULTHANDLER": "1"},
    )  # fmt: skip
    # What torchrun says of a failure is long, and comes after the cause.
    assert done.returncode == 0, done.stderr.partition("failed (exitcode")[0][-4000:]
    run = json.loads(done.stdout)["run"]  # one document: the second process says nothing
    alone = run_edgekd("distill", "project.yaml", "--json", cwd=small_project.parent)
    assert alone.returncode == 0 and json.loads(alone.stdout)["run"] == run
    built = [line for line in alone.stderr.splitlines() if "done in" in line]
    assert not built, built
    assert not list(small_project.parent.glob(".edgekd/store/**/_resume"))
