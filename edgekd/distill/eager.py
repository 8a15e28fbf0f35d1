"""The teacher in PyTorch eager, text in and outputs out: what every variant's speed is compared with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

_BATCH_TOKENS = 1024  # padding included; on one thread larger batches are no faster


def open_eager(folder: str, threads: str = "1") -> Callable[[str], list[float]]:
    """Open a teacher's folder; the returned function gives the outputs of one request.

    Of a text they are its own, of a query with candidates one for each of these, computed in batches of like
    length.

    Imports what answering needs, not what training does: each round of a measurement starts anew.
    """
    import torch

    from edgekd.distill.teacher import HeadedEncoder
    from edgekd.distill.training.reading import Separation, open_reader
    from edgekd.distill.training.tokens import length_batches, open_tokenizer
    from edgekd.distill.weights import load_headed
    from edgekd.distill.wide import widen
    from edgekd.serving.request import list_examples

    torch.set_num_threads(int(threads))
    notes = json.loads((Path(folder) / "teacher.json").read_text(encoding="utf-8"))
    order = notes["order"]
    if "separator" in notes:
        scorer = HeadedEncoder(load_headed(folder), order, notes["separator"]).eval()
        read = open_reader(
            Path(folder) / "tokenizer.json", notes["max_tokens"], Separation(notes["separator"])
        )

        def rank(request: str) -> list[float]:
            tokens = read(list_examples(request))
            scores = torch.empty(len(tokens))
            with torch.inference_mode():
                for picked in length_batches(tokens.lengths, _BATCH_TOKENS):
                    ids, mask = map(torch.from_numpy, tokens.padded(picked))
                    scores[torch.from_numpy(picked)] = scorer(ids, mask)[:, 0]
            listed: list[float] = scores.tolist()
            return listed

        return rank
    encoder = load_headed(folder).eval()
    tokenizer = open_tokenizer(Path(folder) / "tokenizer.json", notes["max_tokens"])

    def network(ids: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        outputs: torch.Tensor = encoder(input_ids=ids, attention_mask=mask).logits
        return outputs if order is None else outputs[:, order]

    model = widen(network, Path(folder))

    def answer(text: str) -> list[float]:
        with torch.inference_mode():
            outputs = model(torch.tensor([tokenizer.encode(text).ids or [0]]))
        found: list[float] = outputs[0].tolist()
        return found

    return answer
