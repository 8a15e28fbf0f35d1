"""The whole road with routing, gates and a carve-out; and a verdict recomputed from its samples."""

import hashlib
import json
from dataclasses import replace

import pytest
import yaml

from edgekd.gate.ledger import read_ledger
from edgekd.gate.objects import object_path
from edgekd.gate.verdict import RULES
from edgekd.pipeline.replaying import replay
from edgekd.serving import load

pytestmark = pytest.mark.long


def change(folder, **keys):
    path = folder / "project.yaml"
    document = {**yaml.safe_load(path.read_text()), **keys}
    path.write_text(yaml.safe_dump(document))


@pytest.mark.long
def test_what_is_promoted_routes_and_its_verdict_can_be_replayed(project, run_edgekd):
    # Nothing is promoted there: which of two variants is tried first is not told by a small training's luck.
    target = (project / "targets" / "cloud.yaml").read_text()
    (project / "targets" / "edge.yaml").write_text(target.replace("name: cloud", "name: edge"))
    slices = yaml.safe_load((project / "project.yaml").read_text())["slices"]
    change(
        project,
        targets=["edge"],
        slices=[*slices, {"name": "today", "where": "text like '%today%'", "tier": "prove", "margin": 3}],
        routing={
            "teacher_per_1k": 3.0,
            "quality": 5,
            "refuse_as": "advice",
            "risky": ["ios"],
            "carve_out": ["today", "ios"],
        },
        gates={
            "teacher_preference_match": 0.5,
            "ece": 0.5,
            "fallback_rate": 0.99,
            "human_win_rate": 0.5,
            "verdicts": {"human_win_rate": "wins.csv"},
        },
    )
    wins = project / "wins.csv"
    wins.write_text("row,rater,verdict\n" + "".join(f"{row},ann,win\n" for row in range(40)))
    done = run_edgekd("run", "project.yaml", "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    (name,) = {target["variant"] for target in document["targets"]}
    run = project / ".edgekd" / "runs" / document["run"].rpartition("/")[2]
    model = load(run / "artifacts" / "edge" / name)
    assert model.routes and model.calibration.routing["slices"] == {"ios": 1.0, "today": 1.0}
    assert "carved out on validation rows: today" in done.stderr
    assert model.route("where is my parcel", ["ios"]).action == "teacher"
    assert model.route("where is my parcel").action in ("answer", "teacher", "refuse")
    evidence = json.loads((run / "evidence" / "edge" / f"{name}.json").read_text())
    routed = {entry["quality"]["name"]: entry for entry in evidence["routing"]["slices"]}
    assert routed["ios"]["fallback"]["estimate"] == 1
    assert routed["ios"]["quality"]["drops"][0]["lost"] == 0  # the teacher answers these
    assert 0 < routed["overall"]["fallback"]["estimate"] < 1
    # Some 10 validation rows prove no margin of 3 points, and 24 test rows would not either: it is the policy
    # that does, as the teacher answers all of them.
    assert evidence["carved"] == ["today"] and routed["today"]["quality"]["n"] < 100
    assert routed["today"]["fallback"]["estimate"] == 1
    assert routed["today"]["quality"]["drops"][0]["high"] == 0
    assert set(evidence["figures"]) == {"teacher_preference_match", "ece", "fallback_rate", "human_win_rate"}
    verdict = json.loads((run / "verdicts" / "edge.json").read_text())
    checks = {check["name"]: check["status"] for check in verdict["variants"][0]["checks"]}
    assert checks["fallback_rate"] == checks["ece"] == checks["human_win_rate"] == "pass"

    # The unchanged project runs again: what was carved out is part of what was built, so it is the incumbent.
    unchanged = run_edgekd("run", "project.yaml", "--json", cwd=project)
    assert unchanged.returncode == 0, unchanged.stderr
    assert json.loads(unchanged.stdout)["targets"][0]["variant"] == name

    wins.unlink()  # what was judged is kept with the evidence
    number = str(len(read_ledger(project / ".edgekd" / "registry" / "ledger.jsonl")))
    again = run_edgekd("ledger", "replay", "project.yaml", number, "--json", cwd=project)
    assert again.returncode == 0, again.stdout + again.stderr
    assert json.loads(again.stdout)["same"] is True

    said = {"student": "order", "incumbent": "order", "teacher": "order", "label": "order", "device": "web"}
    rows = [said] * 300 + [{**said, "student": "return", "device": "ios", "verdict": "loss"}] * 300
    (project / "logged.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    shadow = ("evaluate", "project.yaml", "--target", "edge", "--shadow", "logged.jsonl")
    compared = run_edgekd(*shadow, "--json", cwd=project)
    assert compared.returncode == 1, compared.stderr
    slices = {entry["name"]: entry for entry in json.loads(compared.stdout)["slices"]}
    assert slices["ios"]["n"] == 300 and slices["ios"]["student_win_rate"]["estimate"] == 0
    assert slices["ios"]["mismatch"]["low"] > 0.5
    assert "MISMATCH" in run_edgekd(*shadow, cwd=project).stdout
    for row in rows:
        row.pop("label", None)
    (project / "logged.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    compared = run_edgekd(*shadow, "--json", cwd=project)
    assert compared.returncode == 1, compared.stderr
    slices = {entry["name"]: entry for entry in json.loads(compared.stdout)["slices"]}
    assert slices["ios"]["labelled"] == 0 and slices["ios"]["mismatch"] is None
    assert slices["ios"]["preference_mismatch"]["low"] > 0.3

    refused = run_edgekd("gate", "project.yaml", "--set", "routing.risky=[gone]", cwd=project)
    assert refused.returncode == 2 and "routing.risky" in refused.stderr


def test_a_replay_says_that_rules_have_changed(project):
    """An entry of before there were rules, whose verdict comes out otherwise today."""
    registry = project / ".edgekd" / "registry"
    entry = read_ledger(registry / "ledger.jsonl")[0]
    name = next(one for one in entry.evidence if one.startswith("evidence/questions/"))
    question = json.loads(object_path(registry, entry.evidence[name]).read_text())
    assert question.pop("rules") == RULES
    older = json.dumps(question).encode()
    digest = hashlib.sha256(older).hexdigest()
    place = object_path(registry, digest)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(older)
    same = replace(entry, evidence={**entry.evidence, name: digest})
    assert replay(registry, same)[1] == ()
    assert replay(registry, replace(same, verdict_digest="0" * 64))[1] == (
        f"the rules of judging (1 then, {RULES} now)",
    )


def test_a_replay_finds_what_was_changed(project, run_edgekd):
    registry = project / ".edgekd" / "registry"
    first = read_ledger(registry / "ledger.jsonl")[0]
    done = run_edgekd("ledger", "replay", "project.yaml", "1", "--json", cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["promoted"] == first.variant
    name = next(one for one in first.evidence if one.endswith("-0.npy"))
    place = object_path(registry, first.evidence[name])
    data = bytearray(place.read_bytes())
    data[-1] ^= 1
    place.unlink()  # it is a link to the run's own file
    place.write_bytes(data)
    for verb in (["verify", "project.yaml"], ["replay", "project.yaml", "1"]):
        done = run_edgekd("ledger", *verb, cwd=project)
        assert done.returncode != 0 and name in done.stderr and "changed" in done.stderr
    place.unlink()
    done = run_edgekd("ledger", "verify", "project.yaml", cwd=project)
    assert name in done.stderr and "is missing" in done.stderr
    done = run_edgekd("ledger", "replay", "project.yaml", "9", cwd=project)
    assert done.returncode == 2 and "3 entries" in done.stderr


@pytest.mark.long
def test_a_carved_slice_stays_with_what_is_promoted(project, run_edgekd):
    """A student that has hardly learned is smaller than what is promoted, and leaves a slice with it."""
    before = (project / ".edgekd" / "registry" / "small" / "desk" / "current").resolve()
    held = hashlib.sha256((before / "manifest.json").read_bytes()).hexdigest()
    desk = project / "targets" / "desk.yaml"
    desk.write_text(desk.read_text().replace("recipe: fp32}", "recipe: int8-dynamic}"))
    change(
        project,
        targets=["desk"],
        students=[{"model": "static-256", "training": {"epochs": 1, "learning_rate": 1e-6, "batch": 32}}],
        slices=[
            {"name": "overall", "tier": "prove", "margin": 60},
            {"name": "ios", "where": "device = 'ios'", "tier": "prove", "margin": 90, "at_least": 60},
        ],
        routing={"teacher_per_1k": 3.0, "quality": 60, "carve_out": ["ios"], "carve_to": "incumbent"},
    )
    for _ in range(2):  # the unchanged project runs again, though the incumbent is now the one that left it
        done = run_edgekd("run", "project.yaml", "--json", cwd=project)
        assert done.returncode == 0, done.stderr
        folder = project / ".edgekd" / "runs" / json.loads(done.stdout)["run"].rpartition("/")[2]
        verdict = json.loads((folder / "verdicts" / "desk.json").read_text())
        name = "static-256.onnxruntime.int8-dynamic"
        assert verdict["promoted"] == name
        model = load(folder / "artifacts" / "desk" / name)
        assert model.calibration.routing["incumbent"] == {"artifact": held, "slices": ["ios"]}
    assert f"carved out, left with {held[:12]}: ios" in verdict["reason"]
    assert model.route("where is my parcel", ["ios"]).action == "incumbent"
    evidence = json.loads((folder / "evidence" / "desk" / f"{name}.json").read_text())
    routed = {entry["quality"]["name"]: entry for entry in evidence["routing"]["slices"]}
    assert routed["ios"]["kept"]["estimate"] == 1 and 0 < routed["overall"]["kept"]["estimate"] < 1
    student = next(entry for entry in evidence["evaluation"]["slices"] if entry["name"] == "ios")
    assert routed["ios"]["quality"]["value"]["estimate"] > student["value"]["estimate"] + 0.1
    number = str(len(read_ledger(project / ".edgekd" / "registry" / "ledger.jsonl")))
    again = run_edgekd("ledger", "replay", "project.yaml", number, "--json", cwd=project)
    assert again.returncode == 0, again.stdout + again.stderr
    assert json.loads(again.stdout)["same"] is True
