import json
import time

import pytest

from edgekd.serve_log import Asked, LogPolicy, ServeLog

PROJECT = """
name: shop
data: {source: rows.csv, columns: {text: text, label: label}}
slices: [{name: overall, margin: 2}]
students: [cut-2l]
targets: [lambda-x86]
routing: {teacher_per_1k: 3.0, planned_fallback: 0.1}
traffic: {requests_per_day: 10000000}
gates: {ece: 0.1, fallback_rate: 0.3}
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "shop.yaml").write_text(PROJECT)
    return tmp_path / "shop.yaml"


def write_log(folder, shares):
    """Log 300 requests a day; `shares` say how many of each day's go to the teacher, the last day today."""
    policy = LogPolicy(b"a key of twenty bytes")
    for days, share in enumerate(reversed(shares)):
        log = ServeLog(folder, policy, clock=lambda days=days: time.time() - days * 86_400)
        for number in range(300):
            action = "teacher" if number < share * 300 else "answer"
            slices = ["safety"] if number % 3 == 0 else []
            asked = Asked(f"{days}-{number}", "text", 2.5, "5f0c1a2b3c4d", slices, {"region": "eu"})
            log.record(asked, {"label": "faq", "probability": 0.9, "action": action})
        log.close()


def test_logs_and_events_are_held_against_targets(speak, golden, project, tmp_path):
    write_log(tmp_path / "logs", [0.1, 0.1, 0.38, 0.38])
    events = tmp_path / "events.jsonl"
    events.write_text("".join(json.dumps(line) + "\n" for line in golden["events"]["lines"]))
    page, prom = tmp_path / "health.html", tmp_path / "health.prom"
    given = (project, "--logs", tmp_path / "logs" / "hot", "--events", events, "--days", 2)
    said = speak("health", *given, "--out", page, "--json")
    assert said.code == 1, said.stderr
    found = {(one["name"], one["slice"]): one for one in said.document["figures"]}
    fallback = found["fallback_rate", "overall"]
    assert (fallback["value"], fallback["before"], fallback["state"]) == (0.38, 0.1, "bad")
    assert found["fallback_rate", "safety"]["state"] == "no target"  # the limit is of all traffic
    assert found["p95_ms", "region eu"]["value"] == pytest.approx(2.5, rel=0.01)
    assert found["ece", "overall"]["state"] == "bad"  # 0.18 in the events
    assert "fallback_rate misses its target" in said.document["failing"]
    assert "times the plan" in said.document["alerts"][0]
    assert "Not releasable" in page.read_text()
    assert speak("health", *given, "--out", prom).code == 1
    assert 'edgekd_fallback_rate{project="shop",slice="overall"} 0.38' in prom.read_text()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "nothing is known of this project's health"),
        (["--logs", "."], "is no log of a service"),
        (["--events", "gone.jsonl"], "no such file"),
        (["--out", "health.pdf"], "expected a name that ends in .html or .prom"),
        (["--target", "gone"], "unknown target 'gone'"),
    ],
)
def test_what_cannot_be_told_is_one_line(speak, project, options, words):
    said = speak("health", project, *options)
    assert said.code in (2, 4)
    (line,) = said.errors
    assert words in line
