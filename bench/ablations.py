"""What helps a student, one change at a time: validation rows of CLINC150, one seed.

    python bench/ablations.py                 # about an hour (an estimate); goes on where it was stopped
    python bench/ablations.py --part 0/2      # another process may do --part 1/2 meanwhile

Every arm starts from the same teacher and sees about as many rows, in whole epochs; the first of each student
is what the study uses, but shorter and of fewer copies. KL is the student's divergence from the teacher at
temperature 1 over in-scope validation rows, in nats: of the four figures the one with the least noise.
Accuracy and agreement have a standard error of about 0.4 points: differences under half a point say little.
Test rows are not read.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from quality import open_study
from studied import HERE

from edgekd.config import StudentModel, load_model
from edgekd.data.slices import slice_masks
from edgekd.data.taskdata import TaskData
from edgekd.distill.distil import distil
from edgekd.distill.examples import Examples, Lesson, Session
from edgekd.distill.learners.classify import classify_as_taught
from edgekd.distill.losses import soft_divergence
from edgekd.distill.reference import reference_outputs
from edgekd.distill.softlabels import open_soft_labels
from edgekd.distill.student import load_module, open_student
from edgekd.distill.teacher import open_teacher
from edgekd.distill.training.tokens import open_tokenizer, tokenize
from edgekd.distill.weighing import weigh_rows
from edgekd.engines.step import Step
from edgekd.pipeline.answering import read_answers, reference_step
from edgekd.pipeline.context import Context
from edgekd.pipeline.labelling import label_stage
from edgekd.pipeline.learning import load_stage, teacher_step
from edgekd.pipeline.opening import TEACHER

TABLE = HERE.parent / "docs" / "results" / "ablations.md"
KEPT = TABLE.with_suffix(".jsonl")
ROWS = 210_000
"""Rows that an arm sees in all."""
COPIES = 5


def settings(**changes: Any) -> tuple[str, ...]:
    """Write changes of a project's `distillation` as the command line takes them."""
    return tuple(f"distillation.{key}={json.dumps(value)}" for key, value in changes.items())


# Student, its changes of shape, its changes of training, the project's settings.
Arm = tuple[str, dict[str, Any], dict[str, Any], tuple[str, ...]]
ARMS: dict[str, Arm] = {
    "cut-2l: as it is": ("cut-2l", {}, {}, ()),
    "cut-2l: no logit error": ("cut-2l", {}, {}, settings(logits=0)),
    "cut-2l: logit error alone": ("cut-2l", {}, {}, settings(logits=1)),
    "cut-2l: temperature 2": ("cut-2l", {}, {}, settings(temperature=2)),
    "cut-2l: alpha 0.5": ("cut-2l", {}, {}, settings(alpha=0.5)),
    "cut-2l: no text of other data sets": ("cut-2l", {}, {}, ("data.unlabelled=[]",)),
    "cut-2l: 1 copy a row": ("cut-2l", {}, {}, settings(augmentations=1)),
    "cut-2l: no copies": ("cut-2l", {}, {}, settings(augmentations=0)),
    "cut-2l: 8,192 tokens": ("cut-2l", {"vocabulary": 8192}, {}, ()),
    "cut-2l: layers 0 and 1": ("cut-2l", {"layers": (0, 1)}, {}, ()),
    "cut-2l: rate 8e-4": ("cut-2l", {}, {"learning_rate": 8e-4}, ()),
    "cut-2l: features in the first epoch": ("cut-2l", {}, {}, settings(features={"epochs": 1})),
    "static-256: as it is": ("static-256", {}, {}, ()),
    "static-256: no logit error": ("static-256", {}, {}, settings(logits=0)),
    "static-256: logit error alone": ("static-256", {}, {}, settings(logits=1)),
    "static-256: temperature 2": ("static-256", {}, {}, settings(temperature=2)),
    "static-256: no text of other data sets": ("static-256", {}, {}, ("data.unlabelled=[]",)),
    "static-256: no copies": ("static-256", {}, {}, settings(augmentations=0)),
    "static-256: all tokens": ("static-256", {"vocabulary": 30522}, {}, ()),
    "static-256: one pair vector for all": ("static-256", {"pairs": 1}, {}, ()),
    "static-256: dimension 384": ("static-256", {"dimension": 384}, {}, ()),
}
_HEAD = """\
# Ablations

{doc}
{rows:,} rows seen, {copies} copies a row where nothing else is said.

| student and change | KL | accuracy | agreement | out-of-scope recall |
| --- | --- | --- | --- | --- |
"""


def run(name: str, teacher: Step) -> dict[str, Any]:
    """Distil an arm's student and judge it on validation rows."""
    student, shape, training, changes = ARMS[name]
    context = open_study("clinc150", 0, (f"distillation.augmentations={COPIES}", *changes))
    data = load_stage(context)
    labels = label_stage(context, data, teacher)
    how, train = context.project.distillation, data.split("train")
    learner = classify_as_taught(data.outputs, how)
    learn = open_soft_labels(labels.texts.path, train.classes, labels.store, learner)
    rows = data.split("validation")
    answers, stage = context.engine.run([reference_step(context, teacher, TEACHER, "validation"), teacher])
    taught = read_answers(answers.path, rows).outputs
    judged = Examples(rows.texts, rows.classes, taught)
    model = _shape(context, student, shape, training, max(1, round(ROWS / len(learn.texts))))
    by_target, more = learner.weigh(train.classes), len(learn.texts) - len(train)
    weighing = weigh_rows(train, how, "distillation", by_target=by_target, unlabelled=more)
    lesson, session = Lesson(learner, learn, judged, weighing), Session("intent", 0, 1)
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept) / "student"
        folder.mkdir()
        opened = open_teacher(stage.path, stage.digest)
        distil(model, opened, lesson, folder, session, features=how.features)
        made = open_student(folder, "")
        tokens = tokenize(open_tokenizer(folder / "tokenizer.json", made.max_tokens), judged.texts)
        logits = reference_outputs(load_module(made), tokens, threads=1)
    return {"arm": name, **_judge(logits, taught, context, data)}


def _shape(
    context: Context, student: str, shape: dict[str, Any], training: dict[str, Any], epochs: int
) -> StudentModel:
    model = next(one for one in context.students if one.name == student)
    assert model.kind == load_model(student).kind
    return model.model_copy(
        update={**shape, "training": model.training.model_copy(update={"epochs": epochs, **training})}
    )


def _judge(logits: np.ndarray, taught: np.ndarray, context: Context, data: TaskData) -> dict[str, float]:
    validation = data.split("validation")
    masks = slice_masks(validation, context.project.slices)
    scope, out = masks["overall"], masks["out-of-scope"]
    answers, classes = logits.argmax(axis=1), validation.classes
    kl = soft_divergence(torch.from_numpy(logits[scope]), torch.from_numpy(taught[scope]), 1.0)
    return {
        "kl": float(kl.mean()),
        "accuracy": float((answers == classes)[scope].mean()),
        "agreement": float((answers == taught.argmax(axis=1))[scope].mean()),
        "out": float((answers == classes)[out].mean()),
    }


def kept() -> list[dict[str, Any]]:
    """Read the arms that ran, in the order of ARMS."""
    lines = KEPT.read_text("utf-8").splitlines() if KEPT.exists() else []
    found = {one["arm"]: one for one in map(json.loads, lines)}
    return [found[name] for name in ARMS if name in found]


def write_table() -> None:
    """Write the table, once every arm ran."""
    if len(kept()) < len(ARMS):
        print(f"{len(kept())} of {len(ARMS)} arms: no table yet")
        return
    lines = [
        f"| {one['arm']} | {one['kl']:.4f} | "
        + " | ".join(f"{one[key]:.2%}" for key in ("accuracy", "agreement", "out"))
        + " |"
        for one in kept()
    ]
    doc = (__doc__ or "").partition("meanwhile\n\n")[2].strip()
    text = _HEAD.format(doc=doc, rows=ROWS, copies=COPIES) + "\n".join(lines)
    TABLE.write_text(text + "\n\n```sh\npython bench/ablations.py\n```\n", encoding="utf-8")


def main() -> None:
    """Run what is missing and write the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--part", default="0/1")
    first, parts = map(int, parser.parse_args().part.split("/"))
    base = open_study("clinc150")
    teacher = teacher_step(base)
    for name in list(ARMS)[first::parts]:
        if name not in {one["arm"] for one in kept()}:
            found = run(name, teacher)
            print(found, flush=True)
            with KEPT.open("a", encoding="utf-8") as file:
                file.write(json.dumps(found) + "\n")
    write_table()


if __name__ == "__main__":
    main()
