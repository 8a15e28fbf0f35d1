"""`edgekd bench ARTIFACT`: figures, kept baselines, and what it refuses; others may run beside it."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from edgekd.measure.plan import MeasurePlan

pytestmark = pytest.mark.long


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """What is said of a measurement is tested here, not how long one must be."""
    plan = MeasurePlan(rounds=3, seconds=0.1)
    monkeypatch.setattr("edgekd.cli.benching.MeasurePlan", lambda: plan)
    monkeypatch.setattr("edgekd.single.scenarios.OFFLINE_PLAN", plan)


def write_target(folder, name, more):
    (folder / "targets").mkdir()
    text = f"name: {name}\nhardware: {{arch: x86_64, memory_mib: 512}}\n{more}\n"
    builds = "builds: [{runtime: onnxruntime, recipe: fp32}]\n"
    (folder / "targets" / f"{name}.yaml").write_text(text + builds)


@pytest.fixture
def measured(speak, artifact, texts, tmp_path, monkeypatch):
    """What is said of one measurement, and its folder; the target has a price and no limits."""
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "kept"
    write_target(tmp_path, "priced", "price: {hour_usd: 0.01}")
    said = speak("bench", artifact, "--texts", texts, "--out", out, "--target", "priced", "--json")
    assert said.code == 0, said.stderr
    return said.document, out


def test_an_artifact_alone_has_all_its_figures(measured, speak, artifact, texts, tmp_path):
    document, out = measured
    assert len(document["artifact"]) == 64
    assert 0 < document["p50_ms"]["low"] <= document["p50_ms"]["estimate"] <= document["p95_ms"]["high"]
    assert document["p99_ms"]["estimate"] >= document["p95_ms"]["estimate"]
    assert sum(document["cold_start_stages_ms"].values()) <= document["cold_start_ms"]["high"]
    assert document["peak_rss_bytes"] > document["steady_bytes"]["uss"] > 1 << 20
    assert 0 < document["cost_per_1000_usd"] < 0.01
    assert len(document["by_length"]) >= 1
    assert (out / "bench.json").is_file()
    alike = tmp_path / "alike.txt"  # of one length: throughput is measured once
    alike.write_text("where is my order\n" * 20)
    said = speak("bench", artifact, "--texts", alike, "--out", tmp_path / "again", "--also", "offline")
    assert "p95" in said.stdout and "tokens" in said.stdout and "texts a second" in said.stdout
    assert "memory: peak" in said.stdout


def test_a_kept_measurement_is_a_baseline_on_a_like_machine_alone(measured, speak, artifact, texts, tmp_path):
    _, kept = measured
    said = speak("bench", artifact, "--baseline", kept, "--texts", texts, "--out", tmp_path / "now")
    assert said.code in (0, 1) and "not paired" in said.stdout
    path = kept / "bench.json"
    document = json.loads(path.read_text())
    document["environment"]["cpu"] = "a slower one"
    path.write_text(json.dumps(document))
    refused = speak("bench", artifact, "--baseline", kept, "--texts", texts, "--out", tmp_path / "now")
    assert refused.code == 2
    (line,) = refused.errors
    assert "another environment" in line and "cpu: " in line and "/ a slower one" in line


def test_limits_decide_the_exit_code(speak, artifact, texts, tmp_path):
    out = tmp_path / "out"
    words = ("bench", artifact, "--texts", texts, "--out", out)
    held = speak(*words, "--p95-ms", "500", "--memory-mib", "4000", "--json")
    assert held.code == 0, held.stderr
    assert [(check["name"], check["status"]) for check in held.document["limits"]] == [
        ("p95_ms", "pass"),
        ("peak_rss_mib", "pass"),
    ]
    over = speak(*words, "--p95-ms", "0.0001", "--memory-mib", "1")
    assert over.code == 1
    assert "limit p95_ms: fail: " in over.stdout and "limit peak_rss_mib: fail: " in over.stdout
    root = ET.parse(out / "junit.xml").getroot()
    assert (root.attrib["tests"], root.attrib["failures"]) == ("2", "2")


def test_a_targets_limits_hold_as_it_has_them_for_the_task(speak, artifact, texts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    task = json.loads((artifact / "manifest.json").read_text())["task"]
    limits = f"limits: {{p95_ms: 500, artifact_mib: 500}}\ntasks: {{{task}: {{limits: {{peak_rss_mib: 1}}}}}}"
    write_target(tmp_path, "strict", limits)
    said = speak("bench", artifact, "--texts", texts, "--target", "strict", "--json")
    assert said.code == 1, said.stderr
    found = {check["name"]: check["status"] for check in said.document["limits"]}
    assert found == {"p95_ms": "pass", "peak_rss_mib": "fail", "artifact_mib": "pass"}
    said = speak("bench", artifact, "--texts", texts, "--target", "strict", "--memory-mib", "4000")
    assert said.code == 0, said.stdout
    refused = speak("bench", artifact, "--target", "gpu")
    assert refused.code == 3 and "target gpu: cannot be measured here" in refused.errors[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["EMPTY"], "not found; an artifact is a folder with a manifest.json"),
        (["ARTIFACT", "--texts", "gone.txt"], "gone.txt"),
        (["ARTIFACT", "--texts", "empty.txt"], "holds no text"),
        (["ARTIFACT", "--texts", "other.csv"], "expected a column 'text', found message"),
        (["ARTIFACT", "--on", "ssh://host", "--also", "floor"], "an artifact with --on takes no --also"),
        (["ARTIFACT", "--on", "http://host"], "ssh://"),
        (["ARTIFACT", "--baseline", "EMPTY"], "EMPTY/manifest.json"),
        (["ARTIFACT", "--baseline", "ARTIFACT", "--effect", "3"], "effect"),
        (["ARTIFACT", "--set", "seed=1"], "no --set"),
        (["ARTIFACT", "--target", "lambda-z80"], "lambda-z80"),
        (["gone.yaml"], "gone.yaml"),
    ],
)
def test_what_cannot_be_measured_is_one_line(speak, artifact, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    Path("EMPTY").mkdir()
    Path("empty.txt").write_text("\n \n")
    Path("other.csv").write_text("message\nhello\n")
    spoken = speak("bench", *(str(artifact) if word == "ARTIFACT" else word for word in arguments))
    assert spoken.code == 2
    (line,) = spoken.errors
    assert said in line
