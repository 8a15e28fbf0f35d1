"""Students on disk: described, and loaded again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from safetensors.torch import load_file, save_file
from torch import nn

from edgekd.config import StudentModel
from edgekd.distill.static import FoldedStatic, StaticNetwork
from edgekd.distill.teacher import HeadedEncoder
from edgekd.distill.weights import load_headed, save_headed
from edgekd.distill.wide import widen
from edgekd.store import write_atomic

_NOTES = "student.json"


@dataclass(frozen=True)
class Student:
    """A distilled model on disk: student.json, tokenizer.json, weights as safetensors.

    `outputs` are the names of what it gives for a text.
    """

    name: str
    kind: Literal["transformer", "static"]
    path: Path
    outputs: tuple[str, ...]
    max_tokens: int
    digest: str


def save_student(
    model: StudentModel, network: StaticNetwork | HeadedEncoder, outputs: tuple[str, ...], folder: Path
) -> None:
    """Write a trained network and what is known of it; the notes call its outputs labels."""
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
    write_atomic(folder / _NOTES, json.dumps(notes, indent=1))


def open_student(folder: Path, digest: str) -> Student:
    """Describe the student that `distil` wrote."""
    notes = _read_notes(folder)
    return Student(notes["name"], notes["kind"], folder, tuple(notes["labels"]), notes["max_tokens"], digest)


def load_module(student: Student, attention: str | None = None) -> nn.Module:
    """Load a student in eval mode, as `input_ids [row, token] -> outputs [row, output]` without padding."""
    notes = _read_notes(student.path)
    if student.kind == "transformer":
        network = HeadedEncoder(load_headed(str(student.path), attention=attention), notes["order"])
        return widen(network.eval(), student.path)
    state = load_file(student.path / "model.safetensors")
    (tokens, dimension), pairs = state["table.weight"].shape, state["pairs.weight"].shape[0]
    static = StaticNetwork(tokens, pairs, dimension, notes["shape"]["hidden"], len(student.outputs))
    static.load_state_dict(state)
    return FoldedStatic(static.eval()).eval()


def _read_notes(folder: Path) -> dict[str, Any]:
    notes: dict[str, Any] = json.loads((folder / _NOTES).read_text(encoding="utf-8"))
    return notes
