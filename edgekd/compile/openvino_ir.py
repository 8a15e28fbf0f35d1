"""OpenVINO's files, the same byte for byte whatever the process did before."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekd.compile.openvino_mask import add_mask, proves_mask
from edgekd.compile.uniform import fold_uniform
from edgekd.export import Graph
from edgekd.serving.wordpiece import cuts_left
from edgekd.store import write_atomic


def read_graph(graph: Graph) -> Any:
    """Convert the ONNX graph to an `openvino.Model`."""
    import openvino as ov

    return ov.Core().read_model(graph.path)


def read_folded(graph: Graph) -> Any:
    """Convert the ONNX graph with what is uniform in it folded: for NNCF, which cannot read it otherwise."""
    import onnx
    import openvino as ov

    model = onnx.load(graph.path)
    folded = fold_uniform(model)
    return read_graph(graph) if folded is model else ov.Core().read_model(folded.SerializeToString())


def save_ir(model: Any, graph: Graph, rows: Sequence[list[int]], folder: Path, half: bool = False) -> None:
    """Write `openvino_model.xml` and `.bin`, operators named in graph order.

    Weights are as they are (no silent fp16), or with `half` in half precision.

    An encoder gets an input for the mask as well, where padded batches of some of `rows` prove that it acts
    on all that it should: `OVModelForSequenceClassification` gives one. For the same reader the two files
    beside it say what the labels and the tokenizer are. (OpenVINO numbers the operators that it makes by a
    counter of the process.)
    """
    import openvino as ov

    if graph.kind == "transformer":
        masked = model.clone()
        add_mask(masked)
        some = sorted({len(ids): ids for ids in rows if ids}.values(), key=len)
        some = [*some[:: max(1, len(some) // 4)], *(ids[:1] for ids in some[-1:])]  # one is always padded
        model = masked if proves_mask(masked, some) else model
    for number, operator in enumerate(model.get_ordered_ops()):
        operator.set_friendly_name(f"{operator.get_type_name()}_{number}")
    model.set_friendly_name("student")
    ov.save_model(model, folder / "openvino_model.xml", compress_to_fp16=half)
    _describe(graph, folder)


def _describe(graph: Graph, folder: Path) -> None:
    """Write what transformers' own classes read of a model: labels, tokenizer's class and pad token."""
    labels = dict(enumerate(graph.head.labels or (graph.head.name,)))
    config = {
        "architectures": ["BertForSequenceClassification"],
        "model_type": "bert",
        "id2label": labels,
        "label2id": {name: number for number, name in labels.items()},
        **({"problem_type": "multi_label_classification"} if graph.head.name == "tags" else {}),
    }
    document = json.loads(graph.tokenizer.read_text(encoding="utf-8"))
    tokens = document["model"]["vocab"]
    known = tokens if isinstance(tokens, dict) else {entry[0]: number for number, entry in enumerate(tokens)}
    padding = next((token for token in ("[PAD]", "<pad>") if token in known), None)
    tokenizer = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": graph.max_tokens,
        "model_input_names": ["input_ids", "attention_mask"],
        **({"pad_token": padding} if padding else {}),
        **({"truncation_side": "left"} if cuts_left(document) else {}),
    }
    for name, value in (("config", config), ("tokenizer_config", tokenizer)):
        write_atomic(folder / f"{name}.json", json.dumps(value, indent=1))
