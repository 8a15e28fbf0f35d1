"""Distil a student: make it from a shape and a teacher, teach it, write it to a folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch import nn

from edgekd.config import FeatureStage, StaticModel, StudentModel
from edgekd.distill.cut import cut_layers
from edgekd.distill.examples import Lesson, Session
from edgekd.distill.lean import make_lean
from edgekd.distill.lists import parts_of, queries_of
from edgekd.distill.logs.events import Event
from edgekd.distill.narrow import make_narrow
from edgekd.distill.static import StaticNetwork, start_from_teacher
from edgekd.distill.student import save_student
from edgekd.distill.teacher import HeadedEncoder, Teacher, load_teacher
from edgekd.distill.towers import TwoTowers, start_as_bag
from edgekd.distill.training.examples import tokenize_examples
from edgekd.distill.training.inner import InnerStudent
from edgekd.distill.training.plan import TrainingPlan
from edgekd.distill.training.reading import Separation, find_form, open_reader
from edgekd.distill.training.schedule import OUTPUT_ALONE, Schedule, StageWeights, features_first
from edgekd.distill.training.tokens import Tokens, mapped_tokens
from edgekd.distill.training.train import train
from edgekd.distill.vocabulary import prune_vocabulary
from edgekd.distill.wide import check_pairs, fit_wide
from edgekd.errors import ConfigError
from edgekd.progress import Progress, silent
from edgekd.store import resume_folder, write_atomic


def distil(
    model: StudentModel,
    teacher: Teacher,
    lesson: Lesson,
    folder: Path,
    session: Session,
    *,
    features: FeatureStage | None = None,
    also: Callable[[Event], None] | None = None,
    on_progress: Progress = silent,
) -> None:
    """Make a student from the teacher, teach it what the teacher says, and write it to `folder`.

    With `features` a transformer learns from its teacher's inside first. `also` is told of every event of the
    log.

    Raises:
        ConfigError: if the shape does not fit the teacher, or the learner takes no linear model beside it.
    """
    learner = lesson.learner
    pairs = 0 if model.kind == "static" else model.pairs
    check_pairs(learner, pairs, f"models/{model.name}.yaml: pairs")
    torch.manual_seed(session.seed)
    torch.set_num_threads(session.threads)
    source = (teacher.path / "tokenizer.json").read_text(encoding="utf-8")
    asked, is_paired = lesson.learn.texts, learner.list_size is not None
    if is_paired and features is not None:
        raise ConfigError(
            "distillation.features: are matched on rows of one text, not on lists; leave it out"
        )
    texts = parts_of(asked) if is_paired else asked
    pruned, kept = prune_vocabulary(source, texts, model.vocabulary)
    separation = _separation(pruned, teacher, model.kind == "static") if is_paired else None
    if model.kind == "static":
        pruned = _without_specials(pruned)
    write_atomic(folder / "tokenizer.json", pruned)
    read = open_reader(folder / "tokenizer.json", model.max_tokens, separation)
    learn, validation = (
        tokenize_examples(part, partial(mapped_tokens, resume_folder(folder) / name, read), learner)
        for name, part in (("learn", lesson.learn), ("validation", lesson.validation))
    )
    learn = replace(learn, texts=queries_of(asked) if is_paired else asked)
    if model.kind == "static" and separation is not None:
        network, taught = _make_towers(model, teacher, kept, separation, learn.tokens)
    else:
        network, taught = _make_network(model, teacher, kept, features, separation)
    schedule = _schedule(features) if isinstance(taught, InnerStudent) else OUTPUT_ALONE
    plan = TrainingPlan(
        model.training,
        learner,
        session,
        model.name,
        teacher.name,
        lesson.weighing,
        schedule,
        lesson.limits,
    )
    train(taught, learn, validation, plan, folder, also=also, on_progress=on_progress)
    save_student(model, network, learner.outputs, folder, separation)
    if pairs:
        sizes = (len(kept), pairs)
        fit_wide(learn.tokens, learn.targets, len(learner.outputs), sizes, folder, lesson.weighing.weights)


def _make_network(
    model: StudentModel,
    teacher: Teacher,
    kept: npt.NDArray[np.int64],
    features: FeatureStage | None,
    separation: Separation | None,
) -> tuple[StaticNetwork | HeadedEncoder, nn.Module]:
    """Make a student, and the form of it that is trained; both share their parameters."""
    if model.kind == "static":
        static = StaticNetwork(len(kept), model.pairs, model.dimension, model.hidden, len(teacher.outputs))
        start_from_teacher(static, teacher, kept)
        return static, static
    whole = load_teacher(teacher, attention=None if features is None else "eager")
    if model.kind == "narrow":
        student = make_narrow(whole, model, kept)
    else:
        student = cut_layers(whole, model.layers, kept)
    student.separator = None if separation is None else separation.separator
    in_order = student.order is None  # else the lean form holds a copy of the head
    taught = make_lean(student, torch.arange(16).reshape(2, 8)) if in_order else student
    if features is None:
        return student, taught
    other = load_teacher(teacher, attention="eager").model
    return student, InnerStudent(taught, student.model, other, kept, features.layers)


def _make_towers(
    model: StaticModel, teacher: Teacher, kept: npt.NDArray[np.int64], separation: Separation, tokens: Tokens
) -> tuple[StaticNetwork | HeadedEncoder, nn.Module]:
    """Make the encoder of two towers, and the pair of them that is trained, for pairs like these tokens."""
    tower = StaticNetwork(len(kept), model.pairs, model.dimension, model.hidden, model.dimension)
    start_from_teacher(tower, teacher, kept)
    start_as_bag(tower, np.bincount(tokens.ids, minlength=len(kept)))
    return tower, TwoTowers(tower, separation.separator)


def _separation(tokenizer_json: str, teacher: Teacher, apart: bool) -> Separation:
    """Say which id stands between query and candidate in a student's vocabulary."""
    form = find_form(Tokenizer.from_str(tokenizer_json), str(teacher.path))
    return Separation(form.separator, apart)


def _schedule(features: FeatureStage | None) -> Schedule:
    if features is None:
        return OUTPUT_ALONE
    attention = features.attention
    weights = StageWeights(features.output, features.hidden, attention, attention)
    return features_first(features.epochs, weights)


def _without_specials(tokenizer_json: str) -> str:
    document = json.loads(tokenizer_json)
    document["post_processor"] = None
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
