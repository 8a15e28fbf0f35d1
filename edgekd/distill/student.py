"""Students: made from a shape and a teacher, distilled, kept in a folder, loaded again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from edgekd.config import Distillation, FeatureStage, StudentModel
from edgekd.distill.cut import cut_layers
from edgekd.distill.lean import make_lean
from edgekd.distill.logs.events import Event
from edgekd.distill.narrow import make_narrow
from edgekd.distill.softlabels import SoftLabels
from edgekd.distill.static import FoldedStatic, StaticClassifier, start_from_teacher
from edgekd.distill.teacher import Classifier, Teacher, load_teacher
from edgekd.distill.training.inner import InnerStudent
from edgekd.distill.training.rows import Recipe, Rows
from edgekd.distill.training.schedule import OUTPUT_ALONE, Schedule, StageWeights, features_first
from edgekd.distill.training.tokens import mapped_tokens, open_tokenizer
from edgekd.distill.training.train import train
from edgekd.distill.vocabulary import prune_vocabulary
from edgekd.distill.weighing import Weighing
from edgekd.distill.weights import load_classifier, save_classifier
from edgekd.distill.wide import fit_wide, widen
from edgekd.progress import Progress, silent
from edgekd.store import resume_folder, write_atomic


@dataclass(frozen=True)
class Student:
    """A distilled model on disk: student.json, tokenizer.json, weights as safetensors."""

    name: str
    kind: Literal["transformer", "static"]
    path: Path
    labels: tuple[str, ...]
    max_tokens: int
    digest: str


def distil(
    model: StudentModel,
    teacher: Teacher,
    learn: SoftLabels,
    validation: SoftLabels,
    weighing: Weighing,
    folder: Path,
    *,
    distillation: Distillation,
    seed: int,
    threads: int,
    critical: tuple[int, ...] = (),
    also: Callable[[Event], None] | None = None,
    on_progress: Progress = silent,
) -> None:
    """Make a student from the teacher, teach it on soft labels, and write it to `folder`."""
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    source = (teacher.path / "tokenizer.json").read_text(encoding="utf-8")
    pruned, kept = prune_vocabulary(source, learn.texts, model.vocabulary)
    if model.kind == "static":
        pruned = _without_specials(pruned)
    write_atomic(folder / "tokenizer.json", pruned)
    tokenizer = open_tokenizer(folder / "tokenizer.json", model.max_tokens)
    resume = resume_folder(folder)
    rows, judged = (
        Rows(mapped_tokens(resume / name, tokenizer, part.texts), part.classes, part.logits, texts=part.texts)
        for name, part in (("learn", learn), ("validation", validation))
    )
    rows = replace(rows, weights=weighing.weights, reviewed=weighing.reviewed)
    network, taught = _make_network(model, teacher, kept, distillation.features)
    recipe = Recipe(
        model.training,
        distillation.alpha,
        distillation.temperature,
        seed,
        threads,
        "intent",
        model.name,
        teacher.name,
        teacher.labels,
        critical,
        weighing.alphas,
        weighing.rare,
        weighing.penalty,
        weighing.times,
        _schedule(distillation.features) if isinstance(taught, InnerStudent) else OUTPUT_ALONE,
        distillation.logits,
    )
    log = folder / "logs" / "train.jsonl"
    train(taught, rows, judged, recipe, resume=resume, log=log, also=also, on_progress=on_progress)
    if isinstance(network, StaticClassifier):
        save_file(dict(network.state_dict()), folder / "model.safetensors")
    else:
        save_classifier(network.model, folder)
        if model.kind != "static" and model.pairs:
            sizes = (len(kept), model.pairs)
            fit_wide(rows.tokens, rows.classes, len(teacher.labels), sizes, folder, rows.weights)
    notes = {
        "name": model.name,
        "kind": "static" if model.kind == "static" else "transformer",
        "labels": teacher.labels,
        "max_tokens": model.max_tokens,
        "order": getattr(network, "order", None),
        "shape": {"hidden": model.hidden} if model.kind == "static" else {"layers": model.layers},
    }
    write_atomic(folder / "student.json", json.dumps(notes, indent=1))


def _make_network(
    model: StudentModel, teacher: Teacher, kept: npt.NDArray[np.int64], features: FeatureStage | None
) -> tuple[StaticClassifier | Classifier, nn.Module]:
    """Make a student, and the form of it that is trained; both share their parameters."""
    if model.kind == "static":
        static = StaticClassifier(len(kept), model.pairs, model.dimension, model.hidden, len(teacher.labels))
        start_from_teacher(static, teacher, kept)
        return static, static
    whole = load_teacher(teacher, attention=None if features is None else "eager")
    if model.kind == "narrow":
        student = make_narrow(whole, model, kept)
    else:
        student = cut_layers(whole, model.layers, kept)
    in_order = student.order is None  # else the lean form holds a copy of the head
    taught = make_lean(student, torch.arange(16).reshape(2, 8)) if in_order else student
    if features is None:
        return student, taught
    other = load_teacher(teacher, attention="eager").model
    return student, InnerStudent(taught, student.model, other, kept, features.layers)


def _schedule(features: FeatureStage | None) -> Schedule:
    if features is None:
        return OUTPUT_ALONE
    attention = features.attention
    weights = StageWeights(features.output, features.hidden, attention, attention)
    return features_first(features.epochs, weights)


def open_student(folder: Path, digest: str) -> Student:
    """Describe the student that `distil` wrote."""
    notes = json.loads((folder / "student.json").read_text(encoding="utf-8"))
    return Student(notes["name"], notes["kind"], folder, tuple(notes["labels"]), notes["max_tokens"], digest)


def load_module(student: Student, attention: str | None = None) -> nn.Module:
    """Load a student in eval mode, as `input_ids [row, token] -> logits [row, label]` without padding."""
    notes: dict[str, Any] = json.loads((student.path / "student.json").read_text(encoding="utf-8"))
    if student.kind == "transformer":
        network = Classifier(load_classifier(str(student.path), attention=attention), notes["order"])
        return widen(network.eval(), student.path)
    state = load_file(student.path / "model.safetensors")
    (tokens, dimension), pairs = state["table.weight"].shape, state["pairs.weight"].shape[0]
    static = StaticClassifier(tokens, pairs, dimension, notes["shape"]["hidden"], len(student.labels))
    static.load_state_dict(state)
    return FoldedStatic(static.eval()).eval()


def _without_specials(tokenizer_json: str) -> str:
    document = json.loads(tokenizer_json)
    document["post_processor"] = None
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
