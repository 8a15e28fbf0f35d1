"""The teacher: a Hugging Face sequence classifier, fine-tuned here or used as it is."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edgekd.config import Lora, Training
from edgekd.data.taskdata import TaskData
from edgekd.distill.fresh import start_fresh
from edgekd.distill.lean import LeanEncoder, make_lean
from edgekd.distill.lora import add_adapters, merge_adapters
from edgekd.distill.training.memory import kept_memory
from edgekd.distill.training.rows import Recipe, Rows
from edgekd.distill.training.tokens import Tokens, open_tokenizer, tokenize
from edgekd.distill.training.train import train
from edgekd.distill.weighing import Weighing
from edgekd.distill.weights import load_classifier, load_tokenizer_json, save_classifier
from edgekd.distill.wide import fit_wide, widen
from edgekd.errors import ConfigError
from edgekd.progress import Progress, silent
from edgekd.store import resume_folder, write_atomic


@dataclass(frozen=True)
class Teacher:
    """A classifier on disk: a Hugging Face folder with tokenizer.json and teacher.json."""

    name: str
    path: Path
    labels: tuple[str, ...]
    max_tokens: int
    digest: str


class Classifier(nn.Module):
    """A Hugging Face classifier as `(ids, mask) -> logits`; without a mask rows have no padding."""

    def __init__(self, model: Any, order: list[int] | None = None) -> None:
        super().__init__()
        self.model = model
        self.order = order

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Compute logits [row, label], in the task's order of labels."""
        logits: Tensor = self.model(input_ids=ids, attention_mask=mask).logits
        return logits if self.order is None else logits[:, self.order]


def fine_tune(
    data: TaskData,
    location: str,
    training: Training,
    folder: Path,
    *,
    name: str,
    max_tokens: int,
    seed: int,
    threads: int,
    lora: Lora | None = None,
    weighing: Weighing = Weighing(),  # noqa: B008  frozen
    pairs: int = 0,
    on_progress: Progress = silent,
) -> None:
    """Fine-tune a checkpoint on the train split and write the teacher to `folder`.

    `weighing` says which rows and classes count more. With `lora` adapters and the head are trained, and what
    is written is the merged model: an ordinary one. With `pairs` a linear model stands beside it (`Wide`).
    """
    torch.manual_seed(seed)  # the new head
    # Over a dozen tokens torch's fused attention takes longer on a CPU, its backward pass above all.
    model = load_classifier(location, len(data.labels), attention="eager")
    fresh = start_fresh(model)
    adapted = None if lora is None else add_adapters(model, lora)
    tokenizer_json = load_tokenizer_json(location)
    write_atomic(folder / "tokenizer.json", tokenizer_json)
    tokenizer = open_tokenizer(folder / "tokenizer.json", max_tokens)
    parts = [data.split(split) for split in ("train", "validation")]
    rows, validation = (Rows(tokenize(tokenizer, part.texts), part.classes) for part in parts)
    rows = replace(rows, weights=weighing.weights, reviewed=weighing.reviewed)
    recipe = Recipe(
        training, 0.0, 1.0, seed, threads, "intent", name, name,
        rare=weighing.rare, penalty=weighing.penalty, times=weighing.times,
    )  # fmt: skip
    resume = resume_folder(folder)
    log = folder / "logs" / "train.jsonl"
    network: nn.Module = Classifier(model)
    if adapted is None:
        # Without the last layer's other tokens: a seventh fewer multiplications of six layers.
        network = make_lean(network.eval(), torch.arange(16).reshape(2, 8))
        if isinstance(network, LeanEncoder):
            network.dropout = float(model.config.hidden_dropout_prob)
    with kept_memory():
        train(network, rows, validation, recipe, resume=resume, log=log, fresh=fresh, on_progress=on_progress)
    if adapted is not None:
        model = merge_adapters(adapted)
    _name_labels(model, data.labels)
    save_classifier(model, folder)
    if pairs:
        sizes = (tokenizer.get_vocab_size(), pairs)
        fit_wide(rows.tokens, rows.classes, len(data.labels), sizes, folder, rows.weights)
    _write_notes(folder, name, data.labels, max_tokens, None)


def adopt(data: TaskData, location: str, folder: Path, *, name: str, max_tokens: int) -> None:
    """Use a trained classifier as it is; its labels must be the task's, in any order."""
    model = load_classifier(location)
    own = [str(model.config.id2label[i]) for i in range(model.config.num_labels)]
    missing = sorted(set(data.labels) - set(own))
    if missing:
        raise ConfigError(
            f"{location}: does not know the label '{missing[0]}'; fine-tune it (teacher.fine_tune: true)"
        )
    write_atomic(folder / "tokenizer.json", load_tokenizer_json(location))
    save_classifier(model, folder)
    _write_notes(folder, name, data.labels, max_tokens, [own.index(label) for label in data.labels])


def open_teacher(folder: Path, digest: str) -> Teacher:
    """Describe the teacher that `fine_tune` or `adopt` wrote."""
    notes = json.loads((folder / "teacher.json").read_text(encoding="utf-8"))
    return Teacher(notes["name"], folder, tuple(notes["labels"]), notes["max_tokens"], digest)


def load_teacher(teacher: Teacher, attention: str | None = None) -> Classifier:
    """Load the teacher's network in eval mode, without the linear model that may stand beside it."""
    notes = json.loads((teacher.path / "teacher.json").read_text(encoding="utf-8"))
    return Classifier(load_classifier(str(teacher.path), attention=attention), notes["order"]).eval()


def load_whole(teacher: Teacher) -> nn.Module:
    """Load all that answers for the teacher, in eval mode, as `(ids, mask) -> logits`."""
    return widen(load_teacher(teacher), teacher.path)


def teacher_tokens(teacher: Teacher, texts: list[str]) -> Tokens:
    """Tokenize as the teacher reads."""
    return tokenize(open_tokenizer(teacher.path / "tokenizer.json", teacher.max_tokens), texts)


def _name_labels(model: Any, labels: tuple[str, ...]) -> None:
    model.config.id2label = dict(enumerate(labels))
    model.config.label2id = {label: i for i, label in enumerate(labels)}


def _write_notes(
    folder: Path, name: str, labels: tuple[str, ...], max_tokens: int, order: list[int] | None
) -> None:
    notes = {"name": name, "labels": labels, "max_tokens": max_tokens, "order": order}
    write_atomic(folder / "teacher.json", json.dumps(notes, indent=1))
