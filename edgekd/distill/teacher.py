"""The teacher on disk: a Hugging Face encoder with a head, and what may stand beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from edgekd.distill.segments import segments
from edgekd.distill.training.reading import Separation, open_reader
from edgekd.distill.training.tokens import Tokens
from edgekd.distill.weights import load_headed
from edgekd.distill.wide import widen
from edgekd.store import write_atomic

_NOTES = "teacher.json"


@dataclass(frozen=True)
class Teacher:
    """A model on disk: a Hugging Face folder with tokenizer.json and teacher.json.

    `outputs` are the names of what it gives for a text. Where it reads pairs `separation` says how.
    """

    name: str
    path: Path
    outputs: tuple[str, ...]
    max_tokens: int
    digest: str
    separation: Separation | None = None


class HeadedEncoder(nn.Module):
    """A Hugging Face encoder with a head as `(ids, mask) -> outputs`; without a mask rows have no padding.

    With a `separator` a row is a pair, and what follows the first such id has the second token type, where
    the encoder has one.
    """

    def __init__(self, model: Any, order: list[int] | None = None, separator: int | None = None) -> None:
        super().__init__()
        self.model = model
        self.order = order
        self.separator = separator

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Compute outputs [row, output], in the task's order."""
        more = {}
        if self.separator is not None and getattr(self.model.config, "type_vocab_size", 0) > 1:
            more["token_type_ids"] = segments(ids, self.separator)
        outputs: Tensor = self.model(input_ids=ids, attention_mask=mask, **more).logits
        return outputs if self.order is None else outputs[:, self.order]


def write_notes(
    folder: Path,
    name: str,
    outputs: tuple[str, ...],
    max_tokens: int,
    order: list[int] | None,
    separator: int | None = None,
) -> None:
    """Write what is known of a teacher beside its weights; the file calls its outputs labels.

    `separator` is the id between the two texts that it reads, and left out where it reads one.
    """
    notes = {"name": name, "labels": outputs, "max_tokens": max_tokens, "order": order}
    if separator is not None:
        notes["separator"] = separator
    write_atomic(folder / _NOTES, json.dumps(notes, indent=1))


def read_notes(folder: Path) -> dict[str, Any]:
    """Read what `write_notes` wrote."""
    notes: dict[str, Any] = json.loads((folder / _NOTES).read_text(encoding="utf-8"))
    return notes


def open_teacher(folder: Path, digest: str) -> Teacher:
    """Describe the teacher that `fine_tune` or `adopt` wrote."""
    notes = read_notes(folder)
    separation = Separation(notes["separator"]) if "separator" in notes else None
    return Teacher(notes["name"], folder, tuple(notes["labels"]), notes["max_tokens"], digest, separation)


def load_teacher(teacher: Teacher, attention: str | None = None) -> HeadedEncoder:
    """Load the teacher's network in eval mode, without the linear model that may stand beside it."""
    notes = read_notes(teacher.path)
    model = load_headed(str(teacher.path), attention=attention)
    return HeadedEncoder(model, notes["order"], notes.get("separator")).eval()


def load_whole(teacher: Teacher) -> nn.Module:
    """Load all that answers for the teacher, in eval mode, as `(ids, mask) -> outputs`."""
    return widen(load_teacher(teacher), teacher.path)


def teacher_tokens(teacher: Teacher, texts: list[str]) -> Tokens:
    """Tokenize examples as the teacher reads them."""
    return open_reader(teacher.path / "tokenizer.json", teacher.max_tokens, teacher.separation)(texts)
