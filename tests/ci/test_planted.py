import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
from planted import copy_artifact, plant_slowdown, run_suite


@pytest.mark.long
def test_a_regression_planted_in_an_artifact_is_found(artifact, tmp_path, capsys):
    """By the suite that a CI job runs, in its own process; half a call, so that noise decides nothing."""
    baseline = copy_artifact(artifact, tmp_path / "baseline" / "static").parent
    slowed = plant_slowdown(artifact, tmp_path / "slowed" / "static", 0.5).parent
    found = run_suite(slowed, baseline, 1)
    assert (found.passed, found.slower, found.other) == (0, 1, 0), found.line
    assert "exit code 1: slower: p50 +" in capsys.readouterr().out
