"""Models that were trained elsewhere, as a Graph: a Hugging Face classifier's folder, or an ONNX file.

A folder holds `config.json`, safetensors and a fast tokenizer, as `save_pretrained` writes them. An ONNX
file gives `logits` [batch, label] for `input_ids`, with or without `attention_mask` and `token_type_ids`;
`tokenizer.json` lies beside it, and `config.json` where its labels are to have names; or both lie in the
folder around one called onnx. A model with one output has the head `score`: its answer is the sigmoid of that
output. Nothing is loaded that could run code. What is written answers texts as the source does with its own
tokenizer, proven from the text on.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekd.errors import ConfigError, EdgekdError
from edgekd.export.graph import INPUT, Graph, open_graph
from edgekd.export.half import widen_half
from edgekd.export.one_input import check_inputs, make_one_input
from edgekd.export.onnx_file import normalize_model, read_onnx
from edgekd.export.onnx_source import check_outputs, choose_output, open_onnx
from edgekd.export.parity import FP32_TOLERANCE
from edgekd.export.sentence_folder import read_sentence_folder
from edgekd.export.source_head import read_source_head
from edgekd.export.source_pairs import find_separator, list_texts, prove_pairs
from edgekd.export.source_parity import Run, answers_more, check_rows, find_most_tokens, prove_source
from edgekd.export.source_tokenizer import Encoded, SourceTokenizer, open_source_tokenizer
from edgekd.serving.heads import takes_candidates

MOST_TOKENS = 512
"""How many tokens a model takes where neither its tokenizer nor its configuration says."""
LONGEST = 8192
"""More tokens are not tried: attention over so many takes gigabytes."""
_HEADED = "ForSequenceClassification"
# Numbers of half precision have 11 bits: what flows through a dozen layers is off by some of these steps.
HALF_TOLERANCE = 0.05
_TRIED = 8
_OTHER_FORMS = {
    ".onnx": "name the .onnx file itself",
    ".xml": "OpenVINO's form is not read: give the folder or the .onnx file that it was made of",
}


def adopt_model(source: Path, folder: Path, texts: Sequence[str], asked: str = "") -> Graph:
    """Write what `source` holds as a graph and its tokenizer into `folder`; parity is proven on `texts`.

    `asked` names the head that it is to have, where its outputs leave that open; with one that takes
    candidates the texts are requests, and pairs are read as the source's tokenizer makes and cuts them.

    Raises:
        ConfigError: it is no text classifier, or not one that can be read, or not one of the head asked for.
        ParityError: the graph answers otherwise than its source.
    """
    if source.suffix == ".onnx":
        return _adopt_onnx(source, folder, texts, asked)
    if (source / "config.json").is_file():
        return _adopt_folder(source, folder, texts, asked)
    raise ConfigError(
        f"{source}: neither a model's folder (config.json, safetensors, tokenizer) nor an .onnx file"
    )


def _adopt_folder(source: Path, folder: Path, texts: Sequence[str], asked: str) -> Graph:
    import torch

    from edgekd.distill.teacher import HeadedEncoder
    from edgekd.distill.weights import load_headed
    from edgekd.export.onnx import export_graph

    config = _read_config(source / "config.json")
    beside = read_sentence_folder(source, config, asked)
    _check_folder(source, config)
    read_source_head(str(source), config, len(config.get("id2label") or "01"), asked)  # before it takes time
    model = load_headed(str(source), attention="eager").eval()
    kinds = [str(kind) for kind in config["architectures"]]
    if type(model).__name__ not in kinds:
        raise ConfigError(
            f"{source}: its architecture is {', '.join(kinds)}, and the one of its model_type "
            f"{config.get('model_type')!r} is {type(model).__name__}; expected both to say the same"
        )
    head = read_source_head(str(source), config, model.config.num_labels, asked)
    tokenizer = beside.hold(open_source_tokenizer(source, alone=False))
    takes = set(inspect.signature(model.forward).parameters)

    def run(encoded: Encoded) -> npt.NDArray[np.float32]:
        given = {name: torch.tensor([list(ids)]) for name, ids in encoded.items() if name in takes}
        with torch.inference_mode():
            return np.asarray(model(**given)[0].numpy()[0])

    check_rows(str(source), tokenizer, run)
    places = getattr(model.config, "max_position_embeddings", None)
    limit = _choose_limit(str(source), tokenizer, run, list_texts(texts), places)
    (folder / "tokenizer.json").write_text(tokenizer.document, encoding="utf-8")
    separator = find_separator(str(source), tokenizer, folder) if takes_candidates(head) else None
    try:
        graph = export_graph(
            HeadedEncoder(model, separator=separator).eval(),
            folder / "tokenizer.json",
            folder / "model.onnx",
            student=_name(source),
            kind="transformer",
            head=head,
            max_tokens=limit,
        )
    except (EdgekdError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001  (torch's exporter raises what its parts do)
        words = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(f"{source}: cannot be written as ONNX: {words:.200}") from None
    prove = prove_pairs if takes_candidates(head) else prove_source
    prove(tokenizer, run, graph, texts)
    return graph


def _check_folder(source: Path, config: dict[str, Any]) -> None:
    kinds = config.get("architectures") or []
    if not isinstance(kinds, list) or not any(str(kind).endswith(_HEADED) for kind in kinds):
        named = ", ".join(map(str, kinds)) if isinstance(kinds, list) else repr(kinds)
        raise ConfigError(
            f"{source}: its architecture is {named or 'not named'}; expected one "
            f"...{_HEADED}: an encoder without a trained head answers nothing"
        )
    if any(source.glob("*.safetensors")):
        return
    for end, then in _OTHER_FORMS.items():
        files = sorted(str(file.relative_to(source)) for file in source.rglob(f"*{end}"))
        if files:
            raise ConfigError(f"{source}: holds {', '.join(files[:3])} and no safetensors; {then}")


def _adopt_onnx(source: Path, folder: Path, requests: Sequence[str], asked: str) -> Graph:
    if not source.is_file():
        raise ConfigError(f"{source}: not found")
    model = read_onnx(source)
    check_inputs(source, model)
    check_outputs(source, model)
    run_all = open_onnx(source, model)
    place = _find_beside(source, "tokenizer.json")
    if place is None:
        raise ConfigError(
            f"{source.parent / 'tokenizer.json'}: not found; put the model's fast tokenizer beside "
            f"{source.name}"
        )
    home = _find_beside(source, "config.json")
    config = {} if home is None else _read_config(home / "config.json")
    beside = read_sentence_folder(home or place, config, asked)
    labels = _count_labels(source, config)
    is_alone = not (place / "tokenizer_config.json").is_file()
    tokenizer = beside.hold(open_source_tokenizer(place, alone=is_alone))
    check_rows(str(source), tokenizer, lambda encoded: next(iter(run_all(encoded).values())))
    texts = list_texts(requests)
    rows = [row for text in texts[:_TRIED] if (row := tokenizer.read(text, _TRIED))[INPUT]]
    ids = [number for row in rows for number in row[INPUT]] or [0]
    rows += [{INPUT: (ids * count)[:count]} for count in (3, 5)]
    try:
        output, count = choose_output(source, model, run_all, rows, labels)
    except (EdgekdError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001  (onnxruntime's own kinds)
        raise ConfigError(f"{source}: cannot be run: {' '.join(str(error).split()):.200}") from None
    head = read_source_head(str(source), config, count, asked)

    def run(encoded: Encoded) -> npt.NDArray[np.float32]:
        return np.asarray(run_all(encoded)[output][0], np.float32)

    limit = _choose_limit(str(source), tokenizer, run, texts, config.get("max_position_embeddings"))
    made = normalize_model(model)
    wide = widen_half(made)
    made = made if wide is None else wide
    (folder / "tokenizer.json").write_text(tokenizer.document, encoding="utf-8")
    separator = find_separator(str(source), tokenizer, folder) if takes_candidates(head) else None
    make_one_input(made, output, count, separator)
    path = folder / "model.onnx"
    path.write_bytes(made.SerializeToString(deterministic=True))
    graph = open_graph(
        path,
        folder / "tokenizer.json",
        student=_name(source.with_suffix("")),
        kind="transformer",
        head=head,
        max_tokens=limit,
    )
    prove = prove_pairs if takes_candidates(head) else prove_source
    prove(tokenizer, run, graph, requests, FP32_TOLERANCE if wide is None else HALF_TOLERANCE)
    return graph


def _find_beside(source: Path, name: str) -> Path | None:
    """Return the folder with a file of this name: its own, or around one called onnx."""
    own = source.parent
    around = [own.resolve().parent] if own.resolve().name == "onnx" else []
    return next((folder for folder in (own, *around) if (folder / name).is_file()), None)


def _count_labels(source: Path, config: dict[str, Any]) -> int | None:
    """Return how many labels config.json names; None where it names none and the model may have a head."""
    named = config.get("id2label")
    if isinstance(named, dict):
        return len(named)
    kinds = config.get("architectures") or []
    if named is None and kinds and not any(str(kind).endswith(_HEADED) for kind in kinds):
        raise ConfigError(
            f"{source}: its architecture is {', '.join(map(str, kinds))}, and config.json names no labels "
            f"(id2label); expected one ...{_HEADED}: an encoder without a trained head answers nothing"
        )
    return None


def _choose_limit(
    name: str, tokenizer: SourceTokenizer, run: Run, texts: Sequence[str], places: object
) -> int:
    """Return how many tokens of a text the model reads: as its tokenizer cuts, as far as it has places.

    What a configuration calls its places need not be a table of them: a model that answers more takes what
    its tokenizer gives.
    """
    own = tokenizer.limit
    if isinstance(places, bool) or not isinstance(places, int) or places < 1:
        places = own or MOST_TOKENS
    limit = places
    if own is not None and (own < places or (own > places and answers_more(run, tokenizer, texts, places))):
        limit = own
    return find_most_tokens(name, tokenizer, run, texts, min(limit, LONGEST))


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not readable as JSON: {error}") from None
    if not isinstance(config, dict):
        raise ConfigError(f"{path}: expected an object, got {type(config).__name__}")
    return config


def _name(path: Path) -> str:
    return path.resolve().name.replace(".", "-") or "model"
