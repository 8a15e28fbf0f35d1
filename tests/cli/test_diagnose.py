"""`edgekd diagnose`: a run directory, a project's newest run, one log; and what is not one."""

import json
import os
import shlex
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from edgekd.config import load_project
from edgekd.distill.logs.events import EventLog
from edgekd.distill.logs.profile import StageClock
from edgekd.distill.logs.training_events import ClassSliceEval, EpochSummary
from edgekd.pipeline.context import Context
from edgekd.pipeline.going import going_on
from edgekd.pipeline.rundir import write_config

PROJECT = """\
name: small
data: {source: mangaassist}
slices: [{name: overall, margin: 1}]
students: [static-256, {model: cut-2l, training: {epochs: 3}}]
targets: [lambda-x86]
"""
LOSSES = {"teacher": [1.0, 0.5, 0.2], "static-256": [0.9, 0.52, 0.5], "cut-2l": [0.5, 0.1, 0.05]}
MATCHES = {"teacher": [0.8, 0.85, 0.9], "static-256": [0.8, 0.85, 0.85], "cut-2l": [0.9, 0.93, 0.95]}


def log_epochs(path: Path, name: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    log = EventLog(path)
    for epoch, (loss, match) in enumerate(zip(LOSSES[name], MATCHES[name], strict=True), 1):
        log.write(
            EpochSummary(
                task="intent",
                student="minilm-l6" if name == "teacher" else name,
                teacher="minilm-l6",
                epoch=epoch,
                train_loss=loss,
                val_loss=0.5 + loss / 2,
                val_accuracy=match - 0.01,
                teacher_preference_match=match,
                train_kd_kl_t2=0 if name == "teacher" else loss,
                calibration_ece=0.04,
                time=float(epoch),
            )
        )
        log.write(
            ClassSliceEval(
                epoch=epoch,
                class_name="a",
                support=50,
                teacher_recall=0.9,
                student_recall=match,
                hard_label_weight=0.1,
                soft_label_weight=0.9,
            )
        )
        log.write(StageClock().profile(name, epoch, threads=2))
    log.close()


@pytest.fixture
def project(tmp_path) -> Path:
    (tmp_path / "project.yaml").write_text(PROJECT, encoding="utf-8")
    return tmp_path / "project.yaml"


@pytest.fixture
def run(project) -> Path:
    """A run directory with logs, as `edgekd distill` leaves it; no model was trained for it."""
    context = Context(load_project(project), project.parent, lambda title: nullcontext(), print)
    write_config(context)
    for name in LOSSES:
        log_epochs(context.run_folder / "logs" / name / "train.jsonl", name)
    return context.run_folder


def test_findings_per_model(speak, run):
    said = speak("diagnose", run)
    assert said.code == 0, said.stderr
    lines = said.stdout.splitlines()
    heads = [line for line in lines if not line.startswith(" ")]
    bests = {"teacher": 3, "static-256": 2, "cut-2l": 3}  # of equals the first
    assert heads[:4] == [f"run: {run}", *(f"{name}: 3 epochs, best {best}" for name, best in bests.items())]
    assert "  student too small: it has not the room for what its teacher knows" in lines
    assert any("training loss 0.500 after epoch 3, where cut-2l reaches 0.050" in line for line in lines)
    assert "capacity, on validation rows (accuracy)" in lines
    assert any(line.startswith("  cut-2l -> static-256: drop +10.00 points") for line in lines)


def test_what_a_smaller_student_costs_the_business(speak, run, golden):
    loss = golden["scale"]["ndcg_drop_to_conversion"]["loss_per_0.01"]
    said = speak("diagnose", run, "--loss", loss)
    assert "drop +10.00 points" in said.stdout and "3.00% of the business lost, at 0.30% for" in said.stdout
    found = speak("diagnose", run, "--loss", loss, "--json").document
    assert found["relative_losses"] == pytest.approx([0.03])


def test_commands_name_the_project_and_can_be_run(speak, run, project):
    document = speak("diagnose", run, "--json").document
    assert [model["name"] for model in document["models"]] == list(LOSSES)
    findings = [finding for model in document["models"] for finding in model["findings"]]
    assert all(finding["evidence"] and finding["advice"] for finding in findings)
    commands = [shlex.split(command) for finding in findings for command in finding["commands"]]
    assert len(commands) >= 3
    for words in commands:
        assert words[0] == "edgekd" and words[2] == str(project)
        load_project(project, [word for flag, word in pairwise(words) if flag == "--set"])
    assert document["models"][1]["profile"]["event"] == "training_system_profile"
    best, other = document["capacity"]
    assert (best["student"], best["event"]) == ("cut-2l", "student_capacity_analysis")
    assert other["quality"] == pytest.approx(0.84) and "p95_ms" not in other


def test_project_means_its_newest_run(speak, run, project):
    older = run.with_name("small-00000000")
    other = run.with_name("small-two-00000000")
    for folder in (older, other):
        folder.mkdir()
        (folder / "config.resolved.yaml").write_text("{}")
    os.utime(older / "config.resolved.yaml", (1, 1))
    assert speak("diagnose", project, "--json").document["run"] == str(run)
    os.utime(run / "config.resolved.yaml", (0, 0))
    said = speak("diagnose", project)
    assert said.code == 2 and "small-00000000" in said.errors[0] and "not a run's settings" in said.errors[0]


def test_commands_keep_what_the_run_was_made_with(speak, project):
    """Another temperature would be another run, and another teacher's training another teacher."""
    settings = ("teacher.training.epochs=3", "students.1.training.epochs=3", "distillation.temperature=3.0")
    context = Context(
        load_project(project, settings), project.parent, lambda title: nullcontext(), print, settings
    )
    write_config(context)
    for name in LOSSES:
        log_epochs(context.run_folder / "logs" / name / "train.jsonl", name)
    document = speak("diagnose", context.run_folder, "--json").document
    commands = [
        shlex.split(command)
        for model in document["models"]
        for finding in model["findings"]
        for command in finding["commands"]
    ]
    assert len(commands) >= 3
    for words in commands:
        given = [word for flag, word in pairwise(words) if flag == "--set"]
        changed = load_project(project, given)
        own = [word for word in given if word in settings]
        assert changed.distillation.temperature == 3 and "distillation.temperature=3.0" in own
        is_teachers = any(word.startswith("teacher.training=") for word in given)
        assert is_teachers or changed.teacher.training.epochs == 3


def test_a_run_that_goes_on_has_nothing_to_read_yet(speak, run, project):
    later = Context(
        load_project(project, ["seed=1"]), project.parent, lambda title: nullcontext(), print, ("seed=1",)
    )
    write_config(later)
    with going_on(later.run_folder):
        assert speak("diagnose", project, "--json").document["run"] == str(run)
        lines = speak("show", "runs", project).stdout.splitlines()
        assert sorted(lines) == sorted([str(run), f"{later.run_folder}  goes on"])
    assert speak("diagnose", project, "--json").document["run"] == str(run)  # it was cut


def test_a_loss_is_of_several_students(speak, run):
    (run / "logs" / "static-256" / "train.jsonl").write_text("")
    said = speak("diagnose", run, "--loss", "0.003")
    assert said.code == 2 and "--loss compares students, and the logs are of 1" in said.errors[0]


def test_one_log(speak, run):
    said = speak("diagnose", run / "logs" / "cut-2l" / "train.jsonl")
    assert said.code == 0 and "cut-2l: 3 epochs, best 3" in said.stdout
    assert "edgekd run PROJECT --set" in said.stdout


def test_torn_log_is_read_as_far_as_it_goes(speak, run):
    path = run / "logs" / "cut-2l" / "train.jsonl"
    path.write_bytes(path.read_bytes()[:-30])
    assert "cut-2l: 3 epochs" in speak("diagnose", run).stdout


def test_nothing_to_read_is_said(speak, run):
    for name in ("static-256", "cut-2l"):
        (run / "logs" / name / "train.jsonl").write_text("")
    said = speak("diagnose", run)
    assert said.code == 0
    assert "static-256: nothing to read: no epoch in its log" in said.stdout.splitlines()
    assert "capacity" not in said.stdout
    document = speak("diagnose", run, "--json").document
    assert document["models"][2] == {"name": "cut-2l", "epochs": 0, "findings": []}


def test_evidence_that_cannot_be_read_is_said(speak, run):
    evidence = run / "evidence" / "lambda-x86"
    evidence.mkdir(parents=True)
    (evidence / "cut-2l.onnxruntime.fp32.json").write_text("{}")
    said = speak("diagnose", run)
    assert said.code == 0
    last = said.stdout.splitlines()[-1]
    assert last.startswith("! evidence of lambda-x86 is not read: ")
    assert "cut-2l.onnxruntime.fp32.json: cannot be read as VariantEvidence: not a stored" in last


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["FOLDER"], ["is not a run directory", "config.resolved.yaml", "edgekd show runs"]),
        (["FOLDER/gone.yaml"], ["gone.yaml", "no such file"]),
        (["FOLDER/gone.jsonl"], ["gone.jsonl", "no such file"]),
        (["FOLDER/project.yaml"], ["project.yaml", "no run yet", "edgekd run"]),
        (["FOLDER/bad.jsonl"], ["bad.jsonl", "line 1", "not an event"]),
    ],
)
def test_wrong_input_is_one_line_and_code_2(speak, project, words, said):
    (project.parent / "bad.jsonl").write_text("{}\n")
    found = speak("diagnose", *(word.replace("FOLDER", str(project.parent)) for word in words), "--json")
    assert found.code == 2 and len(found.errors) == 1
    assert all(word in found.errors[0] for word in said)
    assert found.document == {"error": found.errors[0].removeprefix("edgekd: "), "exit_code": 2}


@pytest.mark.parametrize("damage", ["torn", "another version"])
def test_settings_that_cannot_be_read(speak, run, damage):
    path = run / "config.resolved.yaml"
    settings = yaml.safe_load(path.read_text("utf-8"))
    settings["project"]["distillation"]["future"] = 1
    path.write_text("{a: [" if damage == "torn" else yaml.safe_dump(settings), encoding="utf-8")
    said = speak("diagnose", run)
    assert said.code == 2 and "config.resolved.yaml" in said.errors[0]
    assert damage == "torn" or "another version of edgekd" in said.errors[0]


@pytest.mark.long  # the first of all tests that needs a finished run waits for it
def test_a_finished_run(speak, finished_run):
    said = speak("diagnose", finished_run.folder / "project.yaml", "--json")
    assert said.code == 0, said.stderr
    assert said.document["run"] == str(finished_run.run_folder)
    assert [model["name"] for model in said.document["models"]] == ["teacher", "static-256"]
    assert all(model["epochs"] == 3 and model["findings"] for model in said.document["models"])
    (student,) = said.document["capacity"]
    assert student["p95_ms"] > 0 and student["params_millions"] > 0.1
    assert said.document["costs_of"].startswith("cloud, ")
    lines = (finished_run.run_folder / "logs" / "capacity.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["student"] for line in lines] == ["static-256"]
