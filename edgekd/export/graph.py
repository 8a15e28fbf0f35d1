"""A student as an ONNX graph, before any target is thought of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edgekd.serving.heads import Head
from edgekd.store import digest_bytes, digest_file

if TYPE_CHECKING:
    from torch import nn

INPUT = "input_ids"
OUTPUT = "logits"


@dataclass(frozen=True)
class Graph:
    """An exported student.

    The ONNX model takes `input_ids` int64 [batch, sequence] of rows of equal length without
    padding, 1 to `max_tokens` tokens, and gives `logits` float32 [batch, output]; `head` says what these
    mean: one for each label, one that is a score's, or a vector. `load` returns the module that it was
    exported from, `(ids, mask) -> outputs`, for runtimes that convert it themselves; None where there is but
    the file.
    """

    path: Path
    tokenizer: Path
    student: str
    kind: Literal["transformer", "static"]
    head: Head
    max_tokens: int
    digest: str
    load: Callable[[], nn.Module] | None = field(default=None, compare=False, repr=False)


def open_graph(
    path: Path,
    tokenizer: Path,
    *,
    student: str,
    kind: Literal["transformer", "static"],
    head: Head,
    max_tokens: int,
    load: Callable[[], nn.Module] | None = None,
) -> Graph:
    """Describe an exported ONNX file; its digest covers the model, the tokenizer and the head."""
    towers = (f"towers {head.towers}", f"separator {head.separator}") if head.towers else ()
    named = (*(head.labels or (head.name,)), *towers, *((f"cut {head.cut}",) if head.cut else ()))
    parts = (digest_file(path), digest_file(tokenizer), str(max_tokens), *named)
    digest = digest_bytes("\0".join(parts).encode())
    return Graph(path, tokenizer, student, kind, head, max_tokens, digest, load)
