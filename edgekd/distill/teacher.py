"""The teacher on disk: a Hugging Face encoder with a head, and what may stand beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from edgekd.distill.training.tokens import Tokens, open_tokenizer, tokenize
from edgekd.distill.weights import load_headed
from edgekd.distill.wide import widen
from edgekd.store import write_atomic

_NOTES = "teacher.json"


@dataclass(frozen=True)
class Teacher:
    """A model on disk: a Hugging Face folder with tokenizer.json and teacher.json.

    `outputs` are the names of what it gives for a text.
    """

    name: str
    path: Path
    outputs: tuple[str, ...]
    max_tokens: int
    digest: str


class HeadedEncoder(nn.Module):
    """A Hugging Face encoder with a head as `(ids, mask) -> outputs`; without a mask rows have no padding."""

    def __init__(self, model: Any, order: list[int] | None = None) -> None:
        super().__init__()
        self.model = model
        self.order = order

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Compute outputs [row, output], in the task's order."""
        outputs: Tensor = self.model(input_ids=ids, attention_mask=mask).logits
        return outputs if self.order is None else outputs[:, self.order]


def write_notes(
    folder: Path, name: str, outputs: tuple[str, ...], max_tokens: int, order: list[int] | None
) -> None:
    """Write what is known of a teacher beside its weights; the file calls its outputs labels."""
    notes = {"name": name, "labels": outputs, "max_tokens": max_tokens, "order": order}
    write_atomic(folder / _NOTES, json.dumps(notes, indent=1))


def read_notes(folder: Path) -> dict[str, Any]:
    """Read what `write_notes` wrote."""
    notes: dict[str, Any] = json.loads((folder / _NOTES).read_text(encoding="utf-8"))
    return notes


def open_teacher(folder: Path, digest: str) -> Teacher:
    """Describe the teacher that `fine_tune` or `adopt` wrote."""
    notes = read_notes(folder)
    return Teacher(notes["name"], folder, tuple(notes["labels"]), notes["max_tokens"], digest)


def load_teacher(teacher: Teacher, attention: str | None = None) -> HeadedEncoder:
    """Load the teacher's network in eval mode, without the linear model that may stand beside it."""
    order = read_notes(teacher.path)["order"]
    return HeadedEncoder(load_headed(str(teacher.path), attention=attention), order).eval()


def load_whole(teacher: Teacher) -> nn.Module:
    """Load all that answers for the teacher, in eval mode, as `(ids, mask) -> outputs`."""
    return widen(load_teacher(teacher), teacher.path)


def teacher_tokens(teacher: Teacher, texts: list[str]) -> Tokens:
    """Tokenize as the teacher reads."""
    return tokenize(open_tokenizer(teacher.path / "tokenizer.json", teacher.max_tokens), texts)
