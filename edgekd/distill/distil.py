"""Distil a student: make it from a shape and a teacher, teach it, write it to a folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer

from edgekd.config import FeatureStage, StudentModel
from edgekd.distill.examples import Lesson, Session
from edgekd.distill.fitting import check_padding
from edgekd.distill.lists import parts_of, queries_of
from edgekd.distill.logs.event import Event
from edgekd.distill.make import Made, make_student, make_towers, read_tokenizer
from edgekd.distill.rung import Rung
from edgekd.distill.student import save_student
from edgekd.distill.teacher import HeadedEncoder, Teacher
from edgekd.distill.training.examples import TokenizedExamples, tokenize_examples
from edgekd.distill.training.inner import InnerStudent
from edgekd.distill.training.plan import TrainingPlan
from edgekd.distill.training.reading import Read, Separation, find_form, open_reader
from edgekd.distill.training.rung import train_rung
from edgekd.distill.training.schedule import OUTPUT_ALONE, Schedule, StageWeights, features_first
from edgekd.distill.training.tokens import mapped_tokens
from edgekd.distill.training.train import train
from edgekd.distill.vocabulary import prune_vocabulary, without_specials
from edgekd.distill.wide import check_pairs, fit_wide
from edgekd.errors import ConfigError
from edgekd.progress import Progress, silent
from edgekd.store import resume_folder, write_atomic

_KEPT, _SEPARATION, _LEARN = "kept.npy", "separation.json", "learn"
_TRUNK = "trunk"
"""Folder of what a rung is continued from."""


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

    Where the model has `weights`, one of `find_weights`' locations, it is made of these. With `features` a
    transformer learns from its teacher's inside first. `also` is told of every event of the log.

    Raises:
        ConfigError: if the shape does not fit what it is made of, or the learner takes no linear model
            beside it.
    """
    begun = _begin(model, teacher, lesson, folder, session, features)
    validation = tokenize_examples(lesson.validation, begun.reads("validation"), lesson.learner)
    train(
        begun.made.taught,
        begun.learn,
        validation,
        begun.plan,
        folder,
        fresh=begun.made.fresh,
        also=also,
        on_progress=on_progress,
    )
    _finish(model, begun, lesson, folder)


def read_lesson(model: StudentModel, teacher: Teacher, lesson: Lesson, folder: Path) -> None:
    """Write to `folder` how students with this one's vocabulary and limit read what there is to learn."""
    read = _read(model, teacher, lesson, folder, None)
    np.save(folder / _KEPT, read.kept, allow_pickle=False)
    separation = None if read.separation is None else read.separation._asdict()
    write_atomic(folder / _SEPARATION, json.dumps(separation))
    reader = open_reader(folder / "tokenizer.json", model.max_tokens, read.separation)
    tokenize_examples(lesson.learn, partial(mapped_tokens, folder / _LEARN, reader), lesson.learner)


@dataclass(frozen=True)
class GoingOn:
    """What a rung rests on: its plan, the folder of the rung before it, and that of `read_lesson`."""

    rung: Rung
    before: Path | None
    read: Path


def distil_rung(
    model: StudentModel,
    teacher: Teacher,
    lesson: Lesson,
    folder: Path,
    session: Session,
    going: GoingOn,
    *,
    on_progress: Progress = silent,
) -> None:
    """Teach a student of this shape for one rung, and write it to `folder`, with its trunk beside it.

    Features are not matched.

    Raises:
        ConfigError: as `distil` does.
        TrainingError: if the loss is not finite.
    """
    begun = _begin(model, teacher, lesson, folder, session, None, going.read)
    train_rung(
        begun.made.taught,
        begun.learn,
        begun.plan,
        going.rung,
        folder / _TRUNK,
        None if going.before is None else going.before / _TRUNK,
        fresh=begun.made.fresh,
        on_progress=on_progress,
    )
    _finish(model, begun, lesson, folder)


@dataclass
class _Begun:
    """A student that is made, and what it is to be taught.

    Attributes:
        kept: How many tokens it has.
        separation: How it reads pairs; None where it reads texts.
        reads: Turns texts into ids, kept under a name while training goes on.
    """

    made: Made
    learn: TokenizedExamples
    plan: TrainingPlan
    kept: int
    separation: Separation | None
    reads: Callable[[str], Read]


def _begin(
    model: StudentModel,
    teacher: Teacher,
    lesson: Lesson,
    folder: Path,
    session: Session,
    features: FeatureStage | None,
    known: Path | None = None,
) -> _Begun:
    learner = lesson.learner
    pairs = 0 if model.kind == "static" else model.pairs
    check_pairs(learner, pairs, f"models/{model.name}.yaml: pairs")
    torch.manual_seed(session.seed)
    torch.set_num_threads(session.threads)
    if known is None:
        vocabulary = _read(model, teacher, lesson, folder, features)
    else:
        vocabulary = _read_known(folder, known)
    asked, is_paired = lesson.learn.texts, learner.list_size is not None
    kept, separation = vocabulary.kept, vocabulary.separation
    read = open_reader(folder / "tokenizer.json", model.max_tokens, separation)
    kept_in = resume_folder(folder) if known is None else known

    def reads(name: str) -> Read:
        return partial(mapped_tokens, kept_in / name, read)

    learn = tokenize_examples(lesson.learn, reads(_LEARN), learner)
    learn = replace(learn, texts=queries_of(asked) if is_paired else asked)
    if model.kind == "static" and separation is not None:
        made = make_towers(model, teacher, kept, separation, learn.tokens)
    else:
        made = make_student(model, teacher, kept, features, separation)
    if isinstance(made.network, HeadedEncoder):
        check_padding(made.network, learn.tokens, f"models/{model.name}.yaml")
    schedule = _schedule(features) if isinstance(made.taught, InnerStudent) else OUTPUT_ALONE
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
    return _Begun(made, learn, plan, len(kept), separation, reads)


@dataclass(frozen=True)
class _Vocabulary:
    """The tokens that a student keeps, by the id of what each is made of, and how it reads pairs."""

    kept: npt.NDArray[np.int64]
    separation: Separation | None


def _read(
    model: StudentModel, teacher: Teacher, lesson: Lesson, folder: Path, features: FeatureStage | None
) -> _Vocabulary:
    """Write a student's tokenizer."""
    source = read_tokenizer(model, teacher, features)
    asked, is_paired = lesson.learn.texts, lesson.learner.list_size is not None
    if is_paired and features is not None:
        raise ConfigError(
            "distillation.features: are matched on rows of one text, not on lists; leave it out"
        )
    texts = parts_of(asked) if is_paired else asked
    pruned, kept = prune_vocabulary(source, texts, model.vocabulary)
    separation = _separation(pruned, teacher, model.kind == "static") if is_paired else None
    if model.kind == "static":
        pruned = without_specials(pruned)
    write_atomic(folder / "tokenizer.json", pruned)
    return _Vocabulary(kept, separation)


def _read_known(folder: Path, known: Path) -> _Vocabulary:
    """Take the tokenizer that `read_lesson` wrote to `known`."""
    write_atomic(folder / "tokenizer.json", (known / "tokenizer.json").read_text(encoding="utf-8"))
    separation = json.loads((known / _SEPARATION).read_text(encoding="utf-8"))
    return _Vocabulary(
        np.load(known / _KEPT, allow_pickle=False), None if separation is None else Separation(**separation)
    )


def _finish(model: StudentModel, begun: _Begun, lesson: Lesson, folder: Path) -> None:
    """Write what is trained, and fit what stands beside it."""
    outputs, learn = lesson.learner.outputs, begun.learn
    save_student(model, begun.made.merge(), outputs, folder, begun.separation)
    if model.kind != "static" and model.pairs:
        sizes = (begun.kept, model.pairs)
        fit_wide(learn.tokens, learn.targets, len(outputs), sizes, folder, lesson.weighing.weights)


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
