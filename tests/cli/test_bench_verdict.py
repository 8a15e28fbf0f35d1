"""`edgekd bench ARTIFACT --baseline ARTIFACT`: verdicts."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
from planted import plant_slowdown


@pytest.mark.long
def test_against_itself_it_is_no_change_and_slowed_it_is_slower(speak, artifact, texts, tmp_path):
    copy = plant_slowdown(artifact.resolve(), tmp_path / "slowed", 0.5)
    slower = speak("bench", copy, "--baseline", artifact, "--texts", texts, "--out", tmp_path / "out")
    assert slower.code == 1
    assert slower.stdout.splitlines()[0].startswith("slower: p50 +")
    assert {"summary.md", "junit.xml", "benchmark.json"} <= {p.name for p in (tmp_path / "out").iterdir()}
    arguments = ("--texts", texts, "--out", tmp_path / "same", "--json")
    same = speak("bench", artifact, "--baseline", artifact, *arguments)
    assert same.document["verdict"] != "slower"
    assert (same.code == 0) == (same.document["verdict"] == "no change")
