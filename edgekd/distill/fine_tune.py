"""Make a teacher of a checkpoint: fine-tuned on targets, or taken as it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import nn

from edgekd.config import Lora, Training
from edgekd.distill.examples import Lesson, Session
from edgekd.distill.fitting import check_padding, check_rows
from edgekd.distill.fresh import start_fresh
from edgekd.distill.lean import LeanEncoder, make_lean
from edgekd.distill.learner import Learner
from edgekd.distill.lora import add_adapters, merge_adapters
from edgekd.distill.outputs import read_names
from edgekd.distill.teacher import HeadedEncoder, write_notes
from edgekd.distill.training.examples import tokenize_examples
from edgekd.distill.training.plan import TrainingPlan
from edgekd.distill.training.reading import Separation, find_form, open_reader
from edgekd.distill.training.tokens import open_tokenizer
from edgekd.distill.training.train import train
from edgekd.distill.weights import load_headed, load_tokenizer_json, save_headed
from edgekd.distill.wide import check_pairs, fit_wide
from edgekd.progress import Progress, silent
from edgekd.store import write_atomic


@dataclass(frozen=True)
class Checkpoint:
    """What a teacher is made of.

    Attributes:
        name: The teacher's.
        location: A folder, or `OWNER/NAME` for the hub: see `find_weights`.
        max_tokens: Longer texts are cut.
        training: How it is fine-tuned.
        lora: Adapters that are trained in the place of the encoder's own weights, and then merged into them.
        pairs: Rows of the linear model of neighbouring tokens beside it (`Wide`); 0 for none.
    """

    name: str
    location: str
    max_tokens: int
    training: Training = field(default_factory=Training)
    lora: Lora | None = None
    pairs: int = 0


def fine_tune(
    checkpoint: Checkpoint, lesson: Lesson, folder: Path, session: Session, on_progress: Progress = silent
) -> None:
    """Fine-tune a checkpoint on a lesson in which no teacher speaks, and write the teacher to `folder`.

    With adapters these and the head are trained, and what is written is the merged model: an ordinary one.

    Raises:
        ConfigError: if the checkpoint cannot be loaded, or the learner takes no linear model beside it.
    """
    outputs, pairs = lesson.learner.outputs, checkpoint.pairs
    check_pairs(lesson.learner, pairs, "teacher.pairs")
    torch.manual_seed(session.seed)  # the new head
    # Over a dozen tokens torch's fused attention takes longer on a CPU, its backward pass above all.
    model = load_headed(checkpoint.location, len(outputs), attention="eager")
    fresh = start_fresh(model)
    adapted = None if checkpoint.lora is None else add_adapters(model, checkpoint.lora)
    write_atomic(folder / "tokenizer.json", load_tokenizer_json(checkpoint.location))
    check_rows(model, Tokenizer.from_file(str(folder / "tokenizer.json")), f"teacher {checkpoint.name}")
    separation = _separation(lesson.learner, checkpoint, folder)
    read = open_reader(folder / "tokenizer.json", checkpoint.max_tokens, separation)
    learn, validation = (
        tokenize_examples(part, read, lesson.learner) for part in (lesson.learn, lesson.validation)
    )
    separator = None if separation is None else separation.separator
    name = checkpoint.name
    check_padding(HeadedEncoder(model, separator=separator), learn.tokens, f"teacher {name}")
    plan = TrainingPlan(checkpoint.training, lesson.learner, session, name, name, lesson.weighing)
    network: nn.Module = HeadedEncoder(model, separator=separator)
    if adapted is None:
        # Without the last layer's other tokens: a seventh fewer multiplications of six layers.
        network = make_lean(network.eval(), torch.arange(16).reshape(2, 8))
        if isinstance(network, LeanEncoder):
            network.dropout = float(model.config.hidden_dropout_prob)
    train(network, learn, validation, plan, folder, fresh=fresh, on_progress=on_progress)
    if adapted is not None:
        model = merge_adapters(adapted)
    name_outputs(model, outputs)
    save_headed(model, folder)
    if pairs:
        sizes = (open_tokenizer(folder / "tokenizer.json", checkpoint.max_tokens).get_vocab_size(), pairs)
        fit_wide(learn.tokens, learn.targets, len(outputs), sizes, folder, lesson.weighing.weights)
    write_notes(folder, name, outputs, checkpoint.max_tokens, None, separator)


def adopt(checkpoint: Checkpoint, learner: Learner, folder: Path) -> None:
    """Use a trained model as it is, and write it to `folder`.

    Raises:
        ConfigError: if it cannot be loaded, or lacks one of the learner's outputs.
    """
    model = load_headed(checkpoint.location)
    own = list(read_names(checkpoint.location, model.config.to_dict(), model.config.num_labels))
    order = learner.match_outputs(own, checkpoint.location)
    write_atomic(folder / "tokenizer.json", load_tokenizer_json(checkpoint.location))
    check_rows(model, Tokenizer.from_file(str(folder / "tokenizer.json")), f"teacher {checkpoint.name}")
    save_headed(model, folder)
    separation = _separation(learner, checkpoint, folder)
    separator = None if separation is None else separation.separator
    write_notes(folder, checkpoint.name, learner.outputs, checkpoint.max_tokens, order, separator)


def _separation(learner: Learner, checkpoint: Checkpoint, folder: Path) -> Separation | None:
    """Say how the written tokenizer separates a query from a candidate; None where rows are one text."""
    if learner.list_size is None:
        return None
    tokenizer = open_tokenizer(folder / "tokenizer.json", checkpoint.max_tokens)
    return Separation(find_form(tokenizer, checkpoint.location).separator)


def name_outputs(model: Any, outputs: tuple[str, ...]) -> None:
    """Write the names of a model's outputs into its configuration."""
    model.config.id2label = dict(enumerate(outputs))
    model.config.label2id = {name: i for i, name in enumerate(outputs)}
