"""The measured callables that order candidates, from a request to its scores, in the peers' environments.

A request is a query and its candidates between ASCII unit separators. Each callable is the peer's documented
call; set beside it is what every row has: one thread, and pairs cut at the student's own limit.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from subjects import cross_encoder_onnx, cross_encoder_openvino, options

Answer = Callable[[str], list[float]]


def open_sentence_onnx(folder: str, threads: str) -> Answer:
    """`CrossEncoder.predict` on all pairs of a request, its defaults: batches of 32, sorted by length."""
    return _predict(cross_encoder_onnx(folder, threads))


def open_sentence_openvino(folder: str, threads: str) -> Answer:
    """The same on OpenVINO."""
    return _predict(cross_encoder_openvino(folder, threads))


def _predict(model: Any) -> Answer:
    def answer(request: str) -> list[float]:
        query, *candidates = request.split("\x1f")
        pairs = [(query, candidate) for candidate in candidates]
        return [float(score) for score in model.predict(pairs, show_progress_bar=False)]

    return answer


def open_flashrank(folder: str, threads: str) -> Answer:
    """`Ranker.rerank`: one batch, padded to its longest pair; its session is opened anew, on one thread."""
    import onnxruntime
    from flashrank import Ranker, RerankRequest
    from flashrank.Config import model_file_map

    place = Path(folder)
    limit = json.loads((place / "tokenizer_config.json").read_text(encoding="utf-8"))["model_max_length"]
    ranker = Ranker(model_name=place.name, cache_dir=str(place.parent), max_length=limit, log_level="ERROR")
    file = str(place / model_file_map[place.name])
    ranker.session = onnxruntime.InferenceSession(file, options(threads))

    def answer(request: str) -> list[float]:
        query, *candidates = request.split("\x1f")
        passages = [{"id": at, "text": text} for at, text in enumerate(candidates)]
        found = ranker.rerank(RerankRequest(query=query, passages=passages))
        scores = [0.0] * len(found)
        for passage in found:
            scores[passage["id"]] = float(passage["score"])
        return scores

    return answer
