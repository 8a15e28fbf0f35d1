"""`edgekd refresh`: logs in; drift, ages, coverage, a labelling job and the next project file out."""

import json
from datetime import date, timedelta

import numpy as np
import pyarrow.parquet
import pytest
import yaml

PROJECT = """\
name: small
data:
  source: rows.jsonl
  columns: {text: text, label: intent, split: split, date: day}
slices:
  - {name: overall, tier: prove, margin: 10}
  - {name: ios, where: "device = 'ios'", tier: prove, margin: 20}
  - {name: checked, where: "checked", margin: 20}
curate:
  by: [language]
  fresh: "cast(release as date) >= cast(left(day, 10) as date) - interval 60 day"
  signals: [{name: wrong-claim, where: "claim = 'contradicted'", among: "claim is not null"}]
  kinds: {long-tail: "label = 'advice'", safety: "text like '%hurt%'"}
  least_rows: 5
students: [{model: static-256}]
targets: [lambda-x86]
traffic: {requests_per_day: 1000000}
"""
WANTS = {"order": "where is my parcel", "return": "give me a refund", "advice": "recommend a series"}
FIRST = date(2025, 6, 1)
DAYS, A_DAY, START = 40, 40, 34


def write_rows(folder):
    rng = np.random.default_rng(0)
    rows = []
    for split, count in (("train", 60), ("validation", 30), ("calibration", 30), ("test", 30)):
        for i in range(count):
            want = list(WANTS)[i % 3]
            day = date(2025, 5, 1) - timedelta(int(rng.integers(0, 300)))
            row = {"text": f"{WANTS[want]} {split} {i}", "intent": want, "split": split, "day": f"{day}"}
            rows.append({**row, "device": "ios" if i % 4 else "web", "language": "en", "checked": True})
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "edgekd.yaml").write_text(PROJECT)


def write_logs(folder, rises=True, days=DAYS, **more):
    """Forty days; from day 34 on Portuguese rises from a twentieth to a third."""
    rng = np.random.default_rng(1)
    lines = []
    for number in range(days * A_DAY):
        day = FIRST + timedelta(number // A_DAY)
        late = rises and number // A_DAY >= START
        want = list(WANTS)[number % 3]
        line = {
            "text": f"{WANTS[want]} {number} {'frieren' if number % 10 == 0 else ''}",
            "day": f"{day}T10:00:00Z",
            "device": "ios" if rng.random() < 0.7 else "web",
            "language": "pt" if rng.random() < (0.33 if late else 0.05) else "en",
            "release": f"{day - timedelta(30 if number % 5 == 0 else 400)}",
            "claim": [None, "supported", "contradicted"][int(rng.choice(3, p=[0.5, 0.48, 0.02]))],
            "student": want if rng.random() < 0.9 else "order",
            "teacher": want,
            "margin": round(float(rng.random()), 3),
            "value": float(rng.random() < 0.8),
            "teacher_value": float(rng.random() < 0.9),
            "miss": bool(rng.random() < 0.2),
        }
        if number % 40 == 0:
            line["intent"] = want
        if number % 40 == 1:
            line["intent"] = "a new wish"  # no class of the model
        lines.append({**line, **more})
    path = folder / "logs.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_rows(tmp_path)
    return tmp_path


def test_what_changed_is_named_and_the_next_project_has_new_rows(speak, folder):
    logs = write_logs(folder)
    said = speak("refresh", "edgekd.yaml", "--logs", logs, "--budget", 40, "--out", "next.yaml", "--json")
    assert said.code == 1, said.stderr
    found = said.document
    assert [(alarm["signal"], alarm["slice"]) for alarm in found["alarms"]] == [("share", "language=pt")]
    alarm = found["alarms"][0]
    assert alarm["low"] > 0.02 and 0 <= (date.fromisoformat(alarm["day"]) - FIRST).days - START <= 7
    assert found["new_words"][0][0] == "frieren"
    assert list(found["slices_left_out"]) == ["checked"]
    events = {event["slice"]: event for event in found["events"]}
    assert events["fresh"]["share"] == pytest.approx(0.2) and events["ios"]["n"] > 1000
    assert events["overall"]["teacher_grounded_rate"] == pytest.approx(0.9, abs=0.04)
    assert events["overall"]["retrieval_miss_rate"] == pytest.approx(0.2, abs=0.04)
    assert 60 <= events["overall"]["dataset_age_days_p50"] <= events["overall"]["dataset_age_days_p95"]
    planned = speak("plan", "freshness", "--log", found["log"], "--per-day", 1000, "--json").document[
        "slices"
    ]
    assert {"overall", "ios", "fresh"} == {entry["slice"] for entry in planned}
    assert all(entry["extra_bad_per_day"] > 0 for entry in planned)
    lacking = {part["name"] for part in found["coverage"]["parts"] if part["missing"]}
    assert {"safety", "language=pt"} <= lacking and "long-tail" not in lacking
    assert {"language=pt"} <= {entry["part"] for entry in found["plan"]["renewals"]}
    assert "labels that no training row has count as none: a new wish" in said.stderr
    assert len(found["sample"]["rows"]) == 40 and found["sample"]["nothing_known_of"] == []

    document = yaml.safe_load((folder / "next.yaml").read_text())
    assert document["data"]["source"] == "next.rows.parquet" and document["curate"]["by"] == ["language"]
    rows = pyarrow.parquet.read_table(folder / "next.rows.parquet").to_pylist()
    by_split = {
        split: [row for row in rows if row["split"] == split] for split in ("train", "unlabelled", "test")
    }
    assert len(by_split["train"]) == 60 + found["next"]["added"] and found["next"]["added"] == 40
    assert {row["label"] for row in by_split["unlabelled"]} == {None}
    assert len(by_split["unlabelled"]) == found["next"]["chosen"] > 30 and len(by_split["test"]) == 30
    weights = document["distillation"]["origin"]["weights"]
    assert weights["up to 90 days"] > weights["up to 365 days"] and weights["teacher"] == 1
    chosen = pyarrow.parquet.read_table(folder / "next.label.parquet")
    assert {"text", "chosen_for", "language"} <= set(chosen.column_names)
    again = speak("refresh", "next.yaml", "--logs", logs, "--json")
    assert again.code == 1 and again.document["ages"]["overall"]["n"] == 100, again.stderr
    assert again.document["ages"]["overall"]["p50"] < found["ages"]["overall"]["p50"]


def test_quiet_logs_end_with_exit_code_0_and_short_ones_say_so(speak, folder):
    said = speak("refresh", "edgekd.yaml", "--logs", write_logs(folder, rises=False))
    assert said.code == 0 and "nothing has changed by more than the margin" in said.stdout
    assert "! not followed: slice 'checked'" in said.stdout
    lines = (folder / "logs.jsonl").read_text().splitlines(keepends=True)
    (folder / "short.jsonl").write_text("".join(lines[: 5 * A_DAY]))
    said = speak("refresh", "edgekd.yaml", "--logs", "short.jsonl")
    assert said.code == 0 and "! drift from" in said.stdout and "fresh: 20.0% of the requests" in said.stdout


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"day": "yesterday"}, "column day: expected a date as 2026-03-04, got 'yesterday'"),
        ({"value": 7}, "column 'value' must be from 0 to 1, got 7 to 7"),
        ({"value": "good"}, "column 'value' must hold numbers from 0 to 1"),
        ({"text": None}, "column 'text' must hold a text in every row"),
    ],
)
def test_logs_that_are_not_as_they_should_be_are_refused_in_one_line(speak, folder, more, words):
    said = speak("refresh", "edgekd.yaml", "--logs", write_logs(folder, days=3, **more), "--json")
    assert said.code == 2 and words in said.errors[0]


def test_wrong_options_are_refused_in_one_line(speak, folder):
    logs = write_logs(folder, days=3, intent=3.5)  # no label that the model knows, so none
    for out in ("edgekd.yaml", "next.json", "/tmp/next.yaml"):
        said = speak("refresh", "edgekd.yaml", "--logs", logs, "--budget", 5, "--out", out)
        assert said.code == 2 and out in said.errors[0]
    said = speak("refresh", "edgekd.yaml", "--logs", logs, "--since", "2025-06-02")
    assert said.code == 2 and "needs the 28 days before" in said.errors[0]
    said = speak("refresh", "edgekd.yaml", "--logs", logs, "--set", "data.columns.date=null")
    assert said.code == 2 and "data.columns.date" in said.errors[0]
    said = speak("refresh", "edgekd.yaml", "--logs", logs, "--set", "curate.by=[locale]")
    assert said.code == 2 and "curate.by: unknown column 'locale'" in said.errors[0]


def test_rankings_are_followed_and_renewed_too(speak, folder):
    shelf = ["Naruto Box 1", "Bleach Omnibus 2", "One Piece 3"]
    rows = [
        {"text": f"{'naruto' if i % 2 else 'bleach'} {split} {i}", "candidates": shelf, "day": "2025-05-01",
         "label": [2.0, 0.0, 0.0] if i % 2 else [0.0, 2.0, None], "split": split}
        for split, count in (("train", 20), ("validation", 10), ("calibration", 10), ("test", 10))
        for i in range(count)
    ]  # fmt: skip
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = PROJECT.replace("label: intent, ", "").replace("name: small", "name: small\ntask: rerank")
    before, _, after = text.partition("curate:")
    slices = "  - {name: box, where: \"list_contains(candidates, 'Naruto Box 1')\", margin: 20}\n"
    before = before.partition("  - {name: ios")[0] + slices
    after = after.partition("students:")[2]
    (folder / "edgekd.yaml").write_text(f"{before}curate: {{least_rows: 1}}\nstudents:{after}")
    logs = [
        {"text": f"naruto {i}", "candidates": shelf[: 2 + i % 2], "day": f"{FIRST + timedelta(i // 20)}",
         "value": 0.9 if i < 1000 or i % 3 else 0.2, "margin": 0.5, **({"label": [1, 0]} if i == 0 else {})}
        for i in range(1200)
    ]  # fmt: skip
    (folder / "logs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in logs))
    said = speak("refresh", "--logs", "logs.jsonl", "--budget", 10, "--out", "next.yaml", "--json")
    assert said.code == 1, said.stderr
    assert {alarm["signal"] for alarm in said.document["alarms"]} == {"value"}
    assert said.document["next"]["added"] == 1 and said.document["next"]["chosen"] >= 9
    again = speak("refresh", "next.yaml", "--logs", "logs.jsonl", "--json")
    assert again.code == 1 and again.document["ages"]["overall"]["n"] == 21, again.stderr
    logs[3]["candidates"] = ["Naruto Box 1"]
    (folder / "logs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in logs))
    said = speak("refresh", "--logs", "logs.jsonl")
    assert said.code == 2 and "logs.jsonl: row 4: has 1 candidate; expected at least 2" in said.errors[0]
