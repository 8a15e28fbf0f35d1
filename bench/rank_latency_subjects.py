"""What `rank_latency.py` measures: a teacher in PyTorch, and other ways to run an artifact's pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

BATCH = 16


def open_teacher(folder: str) -> Callable[[str], list[float]]:
    """Open a Hugging Face cross-encoder in PyTorch eager: pairs by length, in batches of 16, padded."""
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModelForSequenceClassification

    from edgekd.serving.request import split_request

    torch.set_num_threads(1)
    model = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager").eval()
    tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    tokenizer.enable_truncation(model.config.max_position_embeddings // 2, strategy="only_second")

    def answer(request: str) -> list[float]:
        query, candidates = split_request(request)
        pairs = tokenizer.encode_batch([(query, one) for one in candidates])
        order = sorted(range(len(pairs)), key=lambda place: len(pairs[place].ids))
        scores = [0.0] * len(pairs)
        with torch.inference_mode():
            for start in range(0, len(order), BATCH):
                places = order[start : start + BATCH]
                longest = len(pairs[places[-1]].ids)

                def column(name: str, places: Sequence[int] = places, longest: int = longest) -> torch.Tensor:
                    rows = [getattr(pairs[place], name) for place in places]
                    return torch.tensor([row + [0] * (longest - len(row)) for row in rows])

                found = model(column("ids"), column("attention_mask"), column("type_ids")).logits[:, 0]
                for place, score in zip(places, found.tolist(), strict=True):
                    scores[place] = score
        return scores

    return answer


def open_grouped(artifact: str) -> Callable[[str], list[float]]:
    """Open an artifact that runs all pairs of one length together."""
    return _open(artifact, lambda lengths: [lengths[i:j] for i, j in _runs_of_equal(lengths)])


def open_padded(artifact: str) -> Callable[[str], list[float]]:
    """Open one that runs batches of 8 pairs of like length, padded with token 0; its scores are not right."""
    return _open(artifact, lambda lengths: [lengths[i : i + 8] for i in range(0, len(lengths), 8)])


Lengths = list[tuple[int, int]]
"""Tokens and place of each pair, the shortest first."""


def _open(artifact: str, split: Callable[[Lengths], list[Lengths]]) -> Callable[[str], list[float]]:
    import numpy as np

    from edgekd.serving.heads import open_reader, read_head
    from edgekd.serving.manifest import read_manifest
    from edgekd.serving.runtimes import import_runtime, open_session

    folder = Path(artifact)
    manifest = read_manifest(folder)
    read = open_reader(folder / "tokenizer.json", manifest["max_tokens"], read_head(manifest))
    session = open_session(import_runtime(folder, manifest), folder, manifest, 1)

    def answer(request: str) -> list[float]:
        runs = read(request)
        scores = [0.0] * len(runs)
        for group in split(sorted((len(ids), place) for place, ids in enumerate(runs))):
            ids = np.zeros((len(group), group[-1][0]), np.int64)
            for row, (length, place) in enumerate(group):
                ids[row, :length] = runs[place]
            for (_, place), score in zip(group, session.run_batch(ids)[:, 0].tolist(), strict=True):
                scores[place] = score
        return scores

    return answer


def _runs_of_equal(lengths: Lengths) -> list[tuple[int, int]]:
    starts = [i for i in range(len(lengths)) if i == 0 or lengths[i][0] != lengths[i - 1][0]]
    return list(zip(starts, [*starts[1:], len(lengths)], strict=True))
