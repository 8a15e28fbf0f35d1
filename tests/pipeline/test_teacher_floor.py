"""A teacher under a floor is said before anything is labelled, and the run's verdict and ledger name it."""

import json
from pathlib import Path

from edgekd.gate.verdict import GateVerdict

SLICES = (
    "slices=[{name: overall, tier: prove, margin: 10}, {name: ios, where: \"device = 'ios'\", margin: 20}, "
    "{name: asks, recall_of: [advice, order], margin: 20, at_least: 60}, "
    "{name: unseen, where: \"device = 'tv'\", margin: 20, at_least: 50}]"
)


def test_teacher_under_a_floor_is_said_at_once_and_named_by_the_verdict(project, run_edgekd):
    """The small project's teacher never answers `advice`; everything that was trained is in the cache."""
    command = ("run", "project.yaml", "--target", "desk", "--set", SLICES)
    done = run_edgekd(*command, "--json", cwd=project)
    assert done.returncode in (0, 1), done.stderr
    notes = done.stderr.splitlines()
    said = [line for line in notes if line.startswith("teacher: slice")]
    assert said == [
        "teacher: slice 'asks:advice': recall is 0.0 % on 30 validation rows, the floor is 60 %; advice has "
        "100 training rows: add rows, or set teacher.class_weights: effective",
        "teacher: slice 'unseen' has a floor and no validation row to judge the teacher on",
    ]
    assert notes.index(said[0]) < notes.index("label: cached")
    verdict = Path(json.loads(done.stdout)["run"]) / "verdicts" / "desk.json"
    kept = GateVerdict.from_json(json.loads(verdict.read_text(encoding="utf-8")))
    assert [(floor.slice, floor.value, floor.n) for floor in kept.teacher_under] == [("asks:advice", 0.0, 30)]
    assert kept.teacher_under[0].words == said[0]
    number = len((project / ".edgekd/registry/ledger.jsonl").read_text(encoding="utf-8").splitlines())
    replayed = run_edgekd("ledger", "replay", "project.yaml", str(number), "--json", cwd=project)
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert json.loads(replayed.stdout)["same"] is True


def test_without_a_floor_the_teacher_is_asked_nothing(finished_run):
    assert not [line for _, line in finished_run.notes if line.startswith("teacher: slice")]
    verdict = json.loads((finished_run.run_folder / "verdicts" / "desk.json").read_text(encoding="utf-8"))
    assert verdict["teacher_under"] == []
