"""Models that were trained elsewhere, as a Graph: a Hugging Face classifier's folder, or an ONNX file.

A folder holds `config.json`, safetensors and a fast tokenizer, as `save_pretrained` writes them. An ONNX
file gives `logits` [batch, label] for `input_ids`, with or without `attention_mask` and `token_type_ids`;
`tokenizer.json` lies beside it, and `config.json` where its labels are to have names. A model with one output
has the head `score`: its answer is the sigmoid of that output. Nothing is loaded that could run code.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekd.errors import ConfigError, ParityError
from edgekd.export.graph import INPUT, OUTPUT, Graph, open_graph
from edgekd.export.one_input import CONSTANT, read_one_input
from edgekd.export.parity import Answer, prove_parity
from edgekd.serving.heads import Head

MOST_TOKENS = 512


def adopt_model(source: Path, folder: Path, texts: Sequence[str]) -> Graph:
    """Write what `source` holds as a graph and its tokenizer into `folder`; parity is proven on `texts`.

    Raises:
        ConfigError: it is no text classifier, or not one that can be read.
        ParityError: the graph answers otherwise than its source.
    """
    if source.suffix == ".onnx":
        return _adopt_onnx(source, folder, texts)
    if (source / "config.json").is_file():
        return _adopt_folder(source, folder, texts)
    raise ConfigError(
        f"{source}: neither a model's folder (config.json, safetensors, tokenizer) nor an .onnx file"
    )


def _adopt_folder(source: Path, folder: Path, texts: Sequence[str]) -> Graph:
    import torch

    from edgekd.distill.teacher import HeadedEncoder
    from edgekd.distill.weights import load_headed, load_tokenizer_json
    from edgekd.export.onnx import export_graph

    config = _read_config(source / "config.json")
    kinds = config.get("architectures") or []
    if not any(str(kind).endswith("ForSequenceClassification") for kind in kinds):
        raise ConfigError(
            f"{source}: its architecture is {', '.join(map(str, kinds)) or 'not named'}; expected one "
            "...ForSequenceClassification: an encoder without a trained head answers nothing"
        )
    model = load_headed(str(source), attention="eager").eval()
    head = _head(source, config, model.config.num_labels)
    limit = _most_tokens(source, config)
    (folder / "tokenizer.json").write_text(load_tokenizer_json(str(source)), encoding="utf-8")
    module = HeadedEncoder(model).eval()
    path = folder / "model.onnx"
    graph = export_graph(
        module,
        folder / "tokenizer.json",
        path,
        student=_name(source),
        kind="transformer",
        head=head,
        max_tokens=limit,
    )

    def in_torch(ids: Sequence[int]) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            return np.asarray(module(torch.tensor([list(ids)])).numpy()[0])

    _prove(in_torch, graph, texts)
    return graph


def _adopt_onnx(source: Path, folder: Path, texts: Sequence[str]) -> Graph:
    if not source.is_file():
        raise ConfigError(f"{source}: not found")
    model, count = read_one_input(source)
    tokenizer = source.parent / "tokenizer.json"
    if not tokenizer.is_file():
        raise ConfigError(f"{tokenizer}: not found; put the model's fast tokenizer beside {source.name}")
    config_path = source.parent / "config.json"
    config = _read_config(config_path) if config_path.is_file() else {}
    head = _head(source, config, count)
    whole = _run_whole(source, count)
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString(deterministic=True))
    (folder / "tokenizer.json").write_bytes(tokenizer.read_bytes())
    graph = open_graph(
        path,
        folder / "tokenizer.json",
        student=_name(source.with_suffix("")),
        kind="transformer",
        head=head,
        max_tokens=_longest(source, whole, _most_tokens(source.parent, config)),
    )
    _prove(whole, graph, texts)
    return graph


def _run_whole(source: Path, count: int) -> Answer:
    """Return the model as it was, given every input that it asks for; it answers with `count` numbers."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4  # what it cannot run is found out by trying
    session = ort.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    kinds = {one.name: np.int32 if "int32" in one.type else np.int64 for one in session.get_inputs()}
    output = next(one.name for one in session.get_outputs() if one.shape[1:] == [count])

    def run(ids: Sequence[int]) -> npt.NDArray[np.float32]:
        fed = {}
        for name, kind in kinds.items():
            values = [CONSTANT[name]] * len(ids) if name in CONSTANT else list(ids)
            fed[name] = np.array([values], kind)
        return np.asarray(session.run([output], fed)[0][0], np.float32)

    return run


def _longest(source: Path, whole: Answer, limit: int) -> int:
    """Find the most tokens, up to `limit`, that a model answers; a file does not say how many it takes."""

    def answers(count: int) -> bool:
        try:
            return bool(np.isfinite(whole([1] * count)).all())
        except Exception:  # noqa: BLE001  (onnxruntime's own kinds)
            return False

    if answers(limit):
        return limit
    good, bad = 0, limit
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if answers(middle) else (good, middle)
    if not good:
        raise ConfigError(f"{source}: ONNX Runtime cannot run it, not even on one token")
    return good


def _prove(whole: Answer, graph: Graph, texts: Sequence[str]) -> None:
    import onnxruntime as ort

    from edgekd.serving.tokenize import open_tokenizer

    session = ort.InferenceSession(str(graph.path), providers=["CPUExecutionProvider"])
    tokenize = open_tokenizer(graph.tokenizer, graph.max_tokens)
    rows = [tokenize(text) or [0] for text in texts]
    words = [token for row in rows for token in row]
    longest = (words * (1 + graph.max_tokens // max(1, len(words))))[: graph.max_tokens]
    rows += [longest[:1], longest[:2], longest]

    def run(ids: Sequence[int]) -> npt.NDArray[np.float32]:
        return np.asarray(session.run([OUTPUT], {INPUT: np.array([ids], np.int64)})[0][0])

    try:
        prove_parity(whole, run, rows, [*texts, *["made of many texts"] * 3])
    except ParityError as error:
        raise ParityError(f"{graph.student}: {error}") from None


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: not readable as JSON: {error}") from None
    if not isinstance(config, dict):
        raise ConfigError(f"{path}: expected an object, got {type(config).__name__}")
    return config


def _head(source: Path, config: dict[str, Any], count: int) -> Head:
    """Return what a model with so many outputs answers: one of its labels, or a score."""
    if count > 1:
        return Head("classify", _labels(config, count))
    if config.get("problem_type") == "regression":
        raise ConfigError(
            f"{source}: its one output is a number of any size (problem_type: regression); expected the "
            "logit of a score from 0 to 1: train it on such a score with binary cross-entropy"
        )
    return Head("score")


def _labels(config: dict[str, Any], count: int) -> tuple[str, ...]:
    """Name the labels as `id2label` does, where it names as many; else by their numbers."""
    named = config.get("id2label")
    if isinstance(named, dict) and set(map(str, named)) == set(map(str, range(count))):
        labels = tuple(str({str(key): value for key, value in named.items()}[str(i)]) for i in range(count))
        if len(set(labels)) == count:
            return labels
    return tuple(f"LABEL_{number}" for number in range(count))


def _most_tokens(folder: Path, config: dict[str, Any]) -> int:
    """How many tokens the model takes: the tokenizer's own limit, else the places that it has."""
    settings = folder / "tokenizer_config.json"
    limit = _read_config(settings).get("model_max_length") if settings.is_file() else None
    places = config.get("max_position_embeddings")
    if isinstance(places, int) and config.get("model_type") in (
        "roberta",
        "xlm-roberta",
        "mpnet",
        "camembert",
    ):
        places -= 2  # counted from the padding token
    found = [one for one in (limit, places, MOST_TOKENS) if isinstance(one, int) and one > 0]
    return min(found)


def _name(path: Path) -> str:
    return path.resolve().name.replace(".", "-") or "model"
