"""The teacher in PyTorch eager, text in and label out: what every variant's speed is compared with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path


def open_eager(folder: str, threads: str = "1") -> Callable[[str], str]:
    """Open a teacher's folder; the returned function answers one text with its label."""
    import torch

    from edgekd.distill.teacher import Teacher, load_teacher
    from edgekd.distill.training.tokens import open_tokenizer

    torch.set_num_threads(int(threads))
    notes = json.loads((Path(folder) / "teacher.json").read_text(encoding="utf-8"))
    teacher = Teacher(notes["name"], Path(folder), tuple(notes["labels"]), notes["max_tokens"], "")
    model = load_teacher(teacher)
    tokenizer = open_tokenizer(teacher.path / "tokenizer.json", teacher.max_tokens)

    def answer(text: str) -> str:
        with torch.inference_mode():
            logits = model(torch.tensor([tokenizer.encode(text).ids]))
        return teacher.labels[int(logits.argmax())]

    return answer
