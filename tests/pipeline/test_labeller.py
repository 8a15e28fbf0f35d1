"""What labels a real small teacher, tried on this machine, and what a run does without the libraries."""

import contextlib
import dataclasses
import json
import shutil

import numpy as np
import pytest

from edgekd.config import load_project
from edgekd.distill.labels.agreement import compare_softmax
from edgekd.distill.reference import reference_outputs
from edgekd.distill.softlabels import open_texts
from edgekd.distill.teacher import load_teacher, open_teacher, teacher_tokens
from edgekd.measure.environment import read_environment
from edgekd.pipeline import labeller
from edgekd.pipeline.context import Context
from edgekd.pipeline.labelling import label_stage
from edgekd.pipeline.learning import load_stage, teacher_step
from edgekd.pipeline.teacher_forms import forms_worth_a_try
from edgekd.progress import silent

pytestmark = pytest.mark.long
BFLOAT16 = ("openvino bfloat16", "pytorch bfloat16")  # tried here whatever this CPU has


@pytest.mark.parametrize(
    ("isa", "worth"),
    [
        (("avx2", "fma"), ()),
        (("avx2", "avx_vnni"), ("openvino int8",)),
        (("asimd", "bf16"), BFLOAT16),
        (("avx512_vnni", "avx512_bf16"), ("openvino bfloat16", "openvino int8", "pytorch bfloat16")),
    ],
)
def test_only_what_the_cpu_has_instructions_for_is_tried(isa, worth):
    assert forms_worth_a_try(isa) == worth


@pytest.fixture
def noted(finished_run, tmp_path, monkeypatch):
    """The rows and the teacher of the finished run, and no labels; short work is taken for long.

    With what is noted from here on.
    """
    monkeypatch.setattr(labeller, "LEAST_TEXTS", 0)
    monkeypatch.setattr(labeller, "LEAST_MULTIPLICATIONS", 0)
    monkeypatch.setattr(labeller, "forms_worth_a_try", lambda isa: forms_worth_a_try(isa) or BFLOAT16)
    for name in ("data", "teacher"):
        shutil.copytree(finished_run.folder / ".edgekd" / "store" / name, tmp_path / "store" / name)
    project = load_project(finished_run.folder / "project.yaml", (f"workspace={tmp_path}",))
    notes: list[str] = []
    context = Context(project, finished_run.folder, lambda _: contextlib.nullcontext(silent), notes.append)
    data, teacher = load_stage(context), teacher_step(context)
    assert context.engine.make(teacher).cached
    notes.clear()
    return context, data, teacher, notes


def check_labels(labels, teacher) -> None:
    """Hold labels against those of the teacher, a stage."""
    opened = open_teacher(teacher.path, teacher.digest)
    learn = open_texts(labels.texts.path).learn
    expected = reference_outputs(load_teacher(opened), teacher_tokens(opened, list(learn.texts)), threads=1)
    stored = labels.store.read(learn.texts, 2.0)[:].astype(np.float32)
    assert compare_softmax(expected, stored).is_equal


@pytest.mark.openvino
@pytest.mark.long
def test_first_form_that_is_equal_and_faster_is_chosen_once(noted):
    context, data, teacher, notes = noted
    labels = label_stage(context, data, teacher)
    (folder,) = (context.workspace / "store" / "labeller").iterdir()
    choice = json.loads((folder / "labeller.json").read_text("utf-8"))
    trials = json.loads((folder / "logs" / "trials.json").read_text("utf-8"))
    fit = [
        name
        for name, trial in trials.items()
        if trial["mean_kl"] <= 0.005 and trial["top1"] >= 0.995 and trial["speedup"] >= 1.2
    ]
    candidates = list(forms_worth_a_try(read_environment(1).isa) or BFLOAT16)
    assert list(trials) == candidates[: len(trials)] and fit in ([], [list(trials)[-1]])
    assert choice["name"] == (fit or ["pytorch float32"])[0]
    kept = {path.name for path in folder.iterdir() if path.is_dir()} - {"logs"}
    assert kept == {choice["name"].replace(" ", "-")} & {"openvino-int8", "openvino-bfloat16"}
    check_labels(labels, context.engine.made[teacher])
    by = {one["name"]: one for one in labels.store.labellers()}
    assert set(by) <= {choice["name"], "pytorch float32"} and by[choice["name"]]["rows"] > 400
    assert choice["name"] == "pytorch float32" or by[choice["name"]]["speedup"] == trials[fit[0]]["speedup"]
    log = json.loads((labels.values.path / "logs" / "labelling.json").read_text("utf-8"))
    assert log == labels.store.labellers()

    notes.clear()
    for path in (context.workspace / "labels").glob("*/*.arrow"):
        path.unlink()
    again = label_stage(dataclasses.replace(context), data, teacher)  # another run
    assert "labeller: cached" in notes and again.values.digest == labels.values.digest


def test_what_is_missing_is_said(noted, monkeypatch):
    context, data, teacher, notes = noted
    monkeypatch.setattr(labeller, "missing_libraries", lambda: ["openvino", "nncf"])
    labels = label_stage(context, data, teacher)
    assert notes[1].startswith("labeller: no compiled teacher is tried without openvino, nncf; ")
    check_labels(labels, context.engine.made[teacher])


def test_teacher_that_cannot_be_exported_is_said(noted, monkeypatch):
    def refuse(*_):
        raise RuntimeError("an operator\nthat nobody knows")

    context, data, teacher, notes = noted
    monkeypatch.setattr(labeller, "export_step", refuse)
    check_labels(label_stage(context, data, teacher), context.engine.made[teacher])
    assert "cannot be exported: an operator that nobody knows" in notes[1]


def test_short_work_is_done_in_pytorch(noted, monkeypatch):
    context, data, teacher, notes = noted
    monkeypatch.setattr(labeller, "LEAST_MULTIPLICATIONS", 3e12)
    label_stage(context, data, teacher)
    assert [note.partition(" ")[0] for note in notes] == ["texts:", "labels:", "label:"]
    assert "by pytorch float32" in notes[1]
