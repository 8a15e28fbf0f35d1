"""The teacher in PyTorch eager, text in and label out: what every variant's speed is compared with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path


def open_eager(folder: str, threads: str = "1") -> Callable[[str], str]:
    """Open a teacher's folder; the returned function answers one text with its label.

    Imports what answering needs, not what training does: each round of a measurement starts anew.
    """
    import torch

    from edgekd.distill.training.tokens import open_tokenizer
    from edgekd.distill.weights import load_classifier

    torch.set_num_threads(int(threads))
    notes = json.loads((Path(folder) / "teacher.json").read_text(encoding="utf-8"))
    labels, order = notes["labels"], notes["order"]
    model = load_classifier(folder).eval()
    tokenizer = open_tokenizer(Path(folder) / "tokenizer.json", notes["max_tokens"])

    def answer(text: str) -> str:
        with torch.inference_mode():
            logits = model(torch.tensor([tokenizer.encode(text).ids])).logits
            if order is not None:
                logits = logits[:, order]
        return str(labels[int(logits.argmax())])

    return answer
