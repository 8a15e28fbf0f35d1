"""Students on disk: described, and loaded again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from safetensors.torch import load_file, save_file
from torch import nn

from edgekd.config import StudentModel
from edgekd.distill.static import FoldedStatic, StaticNetwork
from edgekd.distill.teacher import HeadedEncoder
from edgekd.distill.towers import TwoTowers
from edgekd.distill.training.reading import Separation, open_reader
from edgekd.distill.training.tokens import Tokens
from edgekd.distill.weights import load_headed, save_headed
from edgekd.distill.wide import widen
from edgekd.store import write_atomic

_NOTES = "student.json"


@dataclass(frozen=True)
class Student:
    """A distilled model on disk: student.json, tokenizer.json, weights as safetensors.

    `outputs` are the names of what it gives for a text. Where it reads pairs `separation` says how, and where
    it reads their texts apart `towers` is the width of the vectors whose product is the score.
    """

    name: str
    kind: Literal["transformer", "static"]
    path: Path
    outputs: tuple[str, ...]
    max_tokens: int
    digest: str
    separation: Separation | None = None
    towers: int | None = None


def save_student(
    model: StudentModel,
    network: StaticNetwork | HeadedEncoder,
    outputs: tuple[str, ...],
    folder: Path,
    separation: Separation | None = None,
) -> None:
    """Write a trained network and what is known of it; the notes call its outputs labels.

    Of a student that reads pairs they also hold the separator's id, and of two towers their width.
    """
    if isinstance(network, StaticNetwork):
        save_file(dict(network.state_dict()), folder / "model.safetensors")
    else:
        save_headed(network.model, folder)
    notes = {
        "name": model.name,
        "kind": "static" if model.kind == "static" else "transformer",
        "labels": outputs,
        "max_tokens": model.max_tokens,
        "order": getattr(network, "order", None),
        "shape": {"hidden": model.hidden} if model.kind == "static" else {"layers": model.layers},
    }
    if separation is not None:
        notes["separator"] = separation.separator
    if separation is not None and separation.apart and isinstance(network, StaticNetwork):
        notes["towers"] = network.head.out_features
    write_atomic(folder / _NOTES, json.dumps(notes, indent=1))


def open_student(folder: Path, digest: str) -> Student:
    """Describe the student that `distil` wrote."""
    notes = _read_notes(folder)
    towers: int | None = notes.get("towers")
    separation = Separation(notes["separator"], towers is not None) if "separator" in notes else None
    outputs, limit = tuple(notes["labels"]), notes["max_tokens"]
    return Student(notes["name"], notes["kind"], folder, outputs, limit, digest, separation, towers)


def student_tokens(student: Student, texts: Sequence[str]) -> Tokens:
    """Tokenize examples as the student reads them."""
    return open_reader(student.path / "tokenizer.json", student.max_tokens, student.separation)(texts)


def load_scorer(student: Student) -> nn.Module:
    """Load what answers examples as `student_tokens` gives them, in eval mode: two towers with their product.

    Of any other student that is `load_module`.
    """
    module = load_module(student)
    if student.separation is None or student.towers is None:
        return module
    return TwoTowers(module, student.separation.separator).eval()


def load_module(student: Student, attention: str | None = None) -> nn.Module:
    """Load a student in eval mode, as `input_ids [row, token] -> outputs [row, output]` without padding.

    Of two towers that is the encoder alone, which reads one text and gives its vector.
    """
    notes = _read_notes(student.path)
    if student.kind == "transformer":
        model = load_headed(str(student.path), attention=attention)
        network = HeadedEncoder(model, notes["order"], notes.get("separator"))
        return widen(network.eval(), student.path)
    state = load_file(student.path / "model.safetensors")
    (tokens, dimension), pairs = state["table.weight"].shape, state["pairs.weight"].shape[0]
    width = student.towers or len(student.outputs)
    static = StaticNetwork(tokens, pairs, dimension, notes["shape"]["hidden"], width)
    static.load_state_dict(state)
    return FoldedStatic(static.eval()).eval()


def _read_notes(folder: Path) -> dict[str, Any]:
    notes: dict[str, Any] = json.loads((folder / _NOTES).read_text(encoding="utf-8"))
    return notes
