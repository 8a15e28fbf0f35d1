import subprocess
import sys
from pathlib import Path

import pytest

PLANTED = Path(__file__).parents[2] / "bench" / "planted.py"


@pytest.mark.slow
def test_a_regression_planted_in_an_artifact_is_found(artifact):
    """The study's own command, once each way; half a call is planted, so that noise decides nothing."""
    command = [sys.executable, str(PLANTED), "--artifact", str(artifact), "--runs", "1", "--share", "0.5"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert "50% planted in static: 1 of 1 failed as slower" in done.stdout, done.stdout + done.stderr
    assert "exit code 1: slower: p50 +" in done.stdout
