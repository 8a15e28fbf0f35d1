"""A teacher under a floor is said before anything is labelled, and the run's verdict and ledger name it."""

import json
import re
from pathlib import Path

from edgekd.gate.verdict import GateVerdict

# No recall has a floor, so that no bias is fitted and all that was compiled and measured is in the cache.
SLICES = (
    "slices=[{name: overall, tier: prove, margin: 10}, "
    "{name: ios, where: \"device = 'ios'\", margin: 20, at_least: 99.9}, "
    "{name: alarms, false_alarm_of: [advice, order], at_most: 5}, "
    "{name: unseen, where: \"device = 'tv'\", margin: 20, at_least: 50}]"
)


def test_teacher_under_a_floor_is_said_at_once_and_named_by_the_verdict(project, run_edgekd):
    """The small project's teacher calls many messages of `return` something else."""
    command = ("run", "project.yaml", "--set", SLICES)
    done = run_edgekd(*command, "--json", cwd=project)
    assert done.returncode in (0, 1), done.stderr
    notes = done.stderr.splitlines()
    said = [line for line in notes if line.startswith("teacher: slice")]
    assert [line.partition("'")[2].partition("'")[0] for line in said] == ["ios", "alarms", "unseen"]
    assert "the floor is 99.9 %; " in said[0]
    assert said[0].endswith("(teacher.reviewed: {where: \"device = 'ios'\"})")
    assert re.fullmatch(
        r"teacher: slice 'alarms': the share of false alarms is [\d.]+ % on 30 validation rows, the limit is "
        r"5 %; (\d+) of the \1 rows that are wrongly called so are return: add training rows of it",
        said[1],
    )
    assert said[2] == "teacher: slice 'unseen' has a floor and no validation row to judge the teacher on"
    assert max(map(notes.index, said)) < notes.index("label: cached")
    verdict = Path(json.loads(done.stdout)["run"]) / "verdicts" / "desk.json"
    kept = GateVerdict.from_json(json.loads(verdict.read_text(encoding="utf-8")))
    assert [floor.words for floor in kept.teacher_under] == said[:2]
    assert kept.teacher_under[0].value < 0.999 and kept.teacher_under[1].value > 0.05
    number = len((project / ".edgekd/registry/ledger.jsonl").read_text(encoding="utf-8").splitlines())
    replayed = run_edgekd("ledger", "replay", "project.yaml", str(number), "--json", cwd=project)
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert json.loads(replayed.stdout)["same"] is True


def test_without_a_floor_the_teacher_is_asked_nothing(finished_run):
    assert not [line for _, line in finished_run.notes if line.startswith("teacher: slice")]
    verdict = json.loads((finished_run.run_folder / "verdicts" / "desk.json").read_text(encoding="utf-8"))
    assert verdict["teacher_under"] == []
