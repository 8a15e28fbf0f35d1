"""Every worked figure of contamination, copied errors and review comes out of a command."""

import json

import pytest

MONDAY = "2026-03-02T00:00:00Z"


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_contamination(speak, golden):
    worked = golden["contamination"]
    stages = [
        f"--stage={name}={one['contamination']},{one['student_error']}"
        for name, one in worked["stages"].items()
    ]
    call = (
        "plan",
        "contamination",
        "--examples",
        worked["examples_per_month"],
        "--per-day",
        worked["requests_per_day"],
    )
    found = speak(*call, *stages, "--json").document["stages"]
    assert found[0]["wrong_targets"] == pytest.approx(worked["wrong_targets"])
    assert found[-1]["fewer_per_day"] == pytest.approx(worked["fewer_per_day"])
    assert found[-1]["student_error"] == worked["error_after"]
    assert "50,000" in speak(*call, *stages).stdout
    said = speak(*call, "--stage", "before=0.1")
    assert said.code == 2 and "expected NAME=FALSE,ERROR" in said.errors[0]


def test_copied_errors_of_one_set_of_rows(speak, golden):
    worked = golden["copied_teacher_error"]
    rates = ("--teacher", worked["teacher_fact_error_rate"], "--student", worked["student_fact_error_rate"])
    assert speak("plan", "overlap", *rates, "--json").document["most_overlap"] == pytest.approx(
        0.545, abs=5e-4
    )
    said = speak("plan", "overlap", *rates, "--copied", worked["copied_teacher_error_overlap"], "--json")
    assert said.code == 1 and not said.document["possible"]
    assert speak("plan", "overlap", *rates, "--copied", 0.5).code == 0


def test_backlog(speak, golden):
    worked = golden["review"]
    rates = ("--incoming", worked["weekly_incoming"], "--reviewed", worked["weekly_reviewed"])
    found = speak("plan", "review", *rates, "--json").document["weeks"]
    for weeks, backlog in worked["backlog_after_weeks"].items():
        assert found[int(weeks) - 1]["backlog"] == backlog
    assert speak("plan", "review", *rates, "--weeks", 0).code == 2


def test_events_of_other_systems_are_explained(speak, golden, tmp_path):
    log = write_lines(tmp_path / "log.jsonl", golden["events"]["lines"][:3] + golden["events"]["lines"][-1:])
    said = speak("claims", "explain", log)
    assert (
        "catalog_factuality: teacher wrong 0.60%" in said.stdout and "the most would be 0.545" in said.stdout
    )
    said = speak("review", "explain", log)
    assert "248,000 wait" in said.stdout and "13.8 weeks of work" in said.stdout
    only = write_lines(tmp_path / "other.jsonl", [{"event": "router_health"}])
    assert speak("claims", "explain", only).code == speak("review", "explain", only).code == 2


PROJECT = """\
name: shop
data: {source: mangaassist}
slices: [{name: overall, margin: 1}]
students: [static-256]
targets: [lambda-x86]
claims:
  records: {parcel: {source: orders.jsonl, row: order_id, key: id}}
  rules: [{name: not-cancelled, claims: [return], holds: "parcel.state <> 'cancelled'"}]
"""


def test_claims_are_checked_by_a_projects_rules(speak, tmp_path):
    (tmp_path / "shop.yaml").write_text(PROJECT)
    write_lines(
        tmp_path / "orders.jsonl", [{"id": "1", "state": "cancelled"}, {"id": "2", "state": "delivered"}]
    )
    rows = [
        {"order_id": order, "claim": claim, "confidence": 0.95}
        for order in "123"
        for claim in ("return", "faq")
    ]
    path = write_lines(tmp_path / "rows.jsonl", rows)
    said = speak("claims", "check", path, tmp_path / "shop.yaml", "--out", tmp_path / "out.jsonl", "--json")
    assert said.document["verdicts"] == {"unchecked": 3, "supported": 1, "unsupported": 1, "contradicted": 1}
    told = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [one["action"] for one in told] == ["reject", "keep", "keep", "keep", "weigh", "keep"]
    assert [one["trust"] for one in told] == [0, 1, 1, 1, 0.25, 1]
    assert "contradicted by not-cancelled: 1" in speak("claims", "check", path, tmp_path / "shop.yaml").stdout
    fields = write_lines(
        tmp_path / "fields.jsonl",
        [{"subject": "1", "field": "state", "value": one} for one in ("Cancelled", "delivered")],
    )
    said = speak("claims", "fields", fields, "--records", tmp_path / "orders.jsonl", "--key", "id", "--json")
    assert said.document["verdicts"]["contradicted"] == said.document["verdicts"]["supported"] == 1
    said = speak("claims", "fields", fields, "--records", tmp_path / "x.duckdb", "--key", "id")
    assert said.code == 2 and "table is missing" in said.errors[0]


def test_errors_and_filters_become_events(speak, tmp_path):
    answers = [
        {"teacher": "b", "student": "b" if place else "c", "truth": "a" if place < 3 else "b"}
        for place in range(9)
    ]
    path, log = write_lines(tmp_path / "answers.jsonl", answers), tmp_path / "log.jsonl"
    (event,) = speak("claims", "figures", path, "--out", log, "--json").document["events"]
    assert event["copied_teacher_error_overlap"] == pytest.approx(2 / 3) and event["n"] == 9
    targets = [
        {"is_false": place < 4, "support": 0.0 if place < 3 else 1.0, "review": 0 if place < 4 else 1}
        for place in range(100)
    ]
    path = write_lines(tmp_path / "targets.jsonl", targets)
    said = speak("claims", "left", path, "--filter", "support", "--filter", "review", "--out", log)
    assert "none: 100 targets, 4.00%" in said.stdout and "caught 75.00%" in said.stdout
    said = speak("claims", "explain", log)
    assert said.code == 0 and "1.031% of targets are false after filter support (n 97)" in said.stdout
    assert speak("claims", "left", path, "--filter", "nope").code == 2


def test_review_from_queue_to_rules(speak, tmp_path):
    words = ("where is it", "charge back")
    rows = [
        {"id": f"r{place}", "text": f"{words[place % 2]} {place}", "answer": "faq",
         "probability": 0.5, "arrived": f"2026-02-{1 + place % 28:02d}", "slice": "en"}
        for place in range(200)
    ]  # fmt: skip
    path, sheet = write_lines(tmp_path / "rows.jsonl", rows), tmp_path / "sheet.csv"
    said = speak("review", "queue", path, "--capacity", 60, "--out", sheet, "--json")
    assert said.document["judgments"] <= 60 and said.document["waiting"] == 200 - said.document["rows"]
    tasks = tmp_path / "tasks.json"
    speak("review", "queue", path, "--capacity", 60, "--out", tasks, "--answers", "faq,dispute")
    assert len(json.loads(tasks.read_text())) == 54
    assert '<Choice value="dispute"/>' in tasks.with_suffix(".xml").read_text()
    lines = ["id,rater,judgment,time"] + [
        f"r{place},{rater},{'dispute' if place % 2 else 'faq'},{MONDAY}"
        for place in range(200)
        for rater in ("ann", "bob")
    ]
    lines += ["r0,cid,dispute,"]
    told = tmp_path / "told.csv"
    told.write_text("\n".join(lines) + "\n")
    agree = speak("review", "agree", told, "--json").document
    assert agree["alpha"]["units"] == 200 and len(agree["kappa"]) == 3
    out = tmp_path / "learn.jsonl"
    decided = speak("review", "decide", told, "--rows", path, "--out", out, "--json").document
    assert decided["decided"] == {"agreed": 199, "majority": 1}
    learn = [json.loads(line) for line in out.read_text().splitlines()]
    assert {(one["label"], one["origin"]) for one in learn} == {
        ("faq", "teacher"),
        ("dispute", "human_corrected"),
    }
    log = tmp_path / "log.jsonl"
    health = speak("review", "health", path, told, "--now", "2026-03-02", "--out", log, "--json").document
    assert health["event"]["backlog"] == 0 and health["event"]["weekly_reviewed"] == 50
    assert speak("review", "explain", log).code == 0
    rules = speak("review", "rules", path, told, "--json").document
    assert rules["routing"] == {"rules": [{"phrase": "charge back", "label": "dispute"}], "risky": ["en"]}
    assert speak("review", "drift", told, "--since", "2026-03-01").code == 0
    assert speak("review", "queue", path, "--capacity", 5, "--out", tmp_path / "a.txt").code == 2
    assert speak("review", "agree", path).code == 2
