"""Requests that a service logged are answered anew, and health is told of what is promoted."""

import json
import time

import pytest

from edgekd.serve_log import Asked, LogPolicy, ServeLog
from edgekd.serving import load
from edgekd.serving.respond import respond

pytestmark = pytest.mark.long


def test_a_log_is_replayed_and_its_health_told(project, run_edgekd):
    done = run_edgekd("run", "project.yaml", "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    target, *_ = sorted({entry["name"] for entry in json.loads(done.stdout)["targets"]})
    registry = project / ".edgekd" / "registry"
    (current,) = registry.glob(f"*/{target}/current")
    model = load(current)
    log = ServeLog(project / "logs", LogPolicy(b"a key of twenty bytes", full_share=1.0))
    texts = ["where is my parcel", "i want my money back", "what should i read next"] * 20
    for number, text in enumerate(texts):
        began = time.perf_counter()
        said = respond(model, text)
        took = 1000 * (time.perf_counter() - began)
        device = ("web", "ios")[number % 2]
        log.record(Asked(f"r{number}", text, took, model.digest[:12], attributes={"device": device}), said)
    log.close()
    assert log.dropped == 0

    replay = ("shadow", "logs/audit", "project.yaml", "--target", target, "--out", "answered.jsonl")
    found = run_edgekd(*replay, "--json", cwd=project)
    assert "rows" in json.loads(found.stdout), found.stderr
    rows = [json.loads(line) for line in (project / "answered.jsonl").read_text().splitlines()]
    assert len(rows) == json.loads(found.stdout)["rows"] == 60
    assert {row["student"] for row in rows if row["text"] == texts[0]} == {model(texts[0]).label}
    assert {row["device"] for row in rows} == {"web", "ios"}
    assert all(row["incumbent"] == row["student"] for row in rows)  # nothing was promoted before
    newest = run_edgekd(*replay, "--most", "7", "--candidate", current, "--json", cwd=project)
    assert json.loads(newest.stdout).get("rows") == 7, newest.stderr + newest.stdout
    refused = run_edgekd("shadow", "logs/hot", *replay[2:], cwd=project)
    assert refused.returncode == 2 and "keeps no texts" in refused.stderr

    other = run_edgekd(*replay, "--set", "seed=99", cwd=project)
    assert other.returncode == 2 and "is not trained yet" in other.stderr
    own = run_edgekd(*replay[:5], "--out", "rows.jsonl", cwd=project)
    assert own.returncode == 2 and "is what the project learns from" in own.stderr

    told = run_edgekd(
        "health", "project.yaml", "--logs", "logs/hot", "--target", target, "--json", cwd=project
    )
    document = json.loads(told.stdout)
    figures = {(one["name"], one["slice"]): one for one in document["figures"]}
    assert figures["requests_per_second", "overall"]["n"] == 60
    assert figures["p95_ms", "device ios"]["n"] == 30
    assert figures["best_checkpoint_score", "overall"]["source"].startswith("training log")
    assert figures["accuracy", "overall"]["source"].startswith("test rows")
