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
    from edgekd.distill.wide import widen

    torch.set_num_threads(int(threads))
    notes = json.loads((Path(folder) / "teacher.json").read_text(encoding="utf-8"))
    labels, order = notes["labels"], notes["order"]
    classifier = load_classifier(folder).eval()
    tokenizer = open_tokenizer(Path(folder) / "tokenizer.json", notes["max_tokens"])

    def network(ids: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        logits: torch.Tensor = classifier(input_ids=ids, attention_mask=mask).logits
        return logits if order is None else logits[:, order]

    model = widen(network, Path(folder))

    def answer(text: str) -> str:
        with torch.inference_mode():
            logits = model(torch.tensor([tokenizer.encode(text).ids or [0]]))
        return str(labels[int(logits.argmax())])

    return answer
