"""A whole run holds its teacher's claims against rules, says so, and measures what was copied."""

import json

import pytest

pytestmark = pytest.mark.long
CLAIMS = """\
claims:
  records: {shop: {source: shops.csv, row: device, key: device}}
  rules: [{name: sends-back, claims: [return], holds: shop.takes_returns}]
"""


def test_a_run_keeps_contradicted_claims_out_of_its_lessons(small_project, run_edgekd):
    folder = small_project.parent
    (folder / "shops.csv").write_text("device,takes_returns\nweb,true\nios,false\n")
    small_project.write_text(small_project.read_text() + CLAIMS)
    done = run_edgekd("distill", small_project, "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("claims: ")]
    (line,) = [line for line in said if "done in" not in line]
    run = next((folder / ".edgekd" / "runs").iterdir())
    counts = json.loads((run / "logs" / "claims" / "claims.json").read_text())
    assert counts["verdicts"]["contradicted"] == counts["actions"]["reject"] > 30
    assert counts["verdicts"]["supported"] > 30 and f"{counts['actions']['reject']:,} rejected" in line
    doubtful = [
        json.loads(one) for one in (run / "logs" / "claims" / "doubtful.jsonl").read_text().splitlines()
    ]
    assert {one["answer"] for one in doubtful} == {"return"}
    events = [json.loads(one) for one in (run / "logs" / "facts.jsonl").read_text().splitlines()]
    assert {one["slice"] for one in events} == {"targets", "overall", "ios"}
    (whole,) = [one for one in events if one["slice"] == "overall"]
    assert whole["n"] == 90 and whole["student"] == "static-256" and whole["teacher_fact_error_rate"] > 0.05
    assert run_edgekd("claims", "explain", run / "logs" / "facts.jsonl").returncode == 0
    again = run_edgekd("distill", small_project, cwd=folder)
    assert again.returncode == 0
    (folder / "shops.csv").write_text("device,takes_returns\nweb,true\nios,true\n")
    plan = run_edgekd("run", small_project, "--plan", "--json", cwd=folder)
    states = {step["name"]: step["state"] for step in json.loads(plan.stdout)["steps"]}
    assert states["label"] == "cached" and states["claims"] == states["distil/static-256"] == "to run"
    (folder / "shops.csv").unlink()
    gone = run_edgekd("run", small_project, "--plan", cwd=folder)
    assert gone.returncode == 2 and "there is no such file" in gone.stderr
