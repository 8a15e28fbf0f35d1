"""An ONNX file from elsewhere as it was: run with all its inputs; and which of its outputs is the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgekd.errors import ConfigError
from edgekd.export.graph import INPUT, OUTPUT
from edgekd.export.one_input import CONSTANT, list_inputs, quantized_operators, read_shape, write_shape
from edgekd.export.source_tokenizer import Encoded
from edgekd.export.surgery import find_makers

if TYPE_CHECKING:
    import onnx

RunAll = Callable[[Encoded], Mapping[str, npt.NDArray[Any]]]
"""Gives every output of a file, by name, for one text as a batch of one."""

_PROBABILITIES = ("Softmax", "Sigmoid")
_THROUGH = ("Identity", "Cast")
_SUM_ERROR = 1e-3
# As transformers, Optimum and sentence-transformers call them.
_VECTORS = {
    *(
        "pooler_output",
        "pooled_output",
        "sentence_embedding",
        "sentence_embeddings",
        "embedding",
        "embeddings",
    ),
    *("last_hidden_state", "token_embeddings", "text_embeds", "text_embedding", "dense_vecs"),
}


def open_onnx(path: Path, model: onnx.ModelProto) -> RunAll:
    """Open a model as it is.

    Raises:
        ConfigError: ONNX Runtime has not all its operators, or it does not fit together.
    """
    from onnx import helper

    try:
        session = open_session(model)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001  (onnxruntime's and protobuf's own kinds)
        raise ConfigError(
            f"{path}: ONNX Runtime cannot open it: {' '.join(str(error).split()):.200}"
        ) from None
    kinds = {
        value.name: helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        for value in list_inputs(model)
    }
    names = [value.name for value in session.get_outputs()]

    def run(encoded: Encoded) -> Mapping[str, npt.NDArray[Any]]:
        count = len(encoded[INPUT])
        given = {name: encoded.get(name, [CONSTANT.get(name, 0)] * count) for name in kinds}
        fed = {name: np.array([values], kinds[name]) for name, values in given.items()}
        return dict(zip(names, session.run(names, fed), strict=True))

    return run


def open_session(model: onnx.ModelProto) -> Any:
    """Open a model in ONNX Runtime; one that is quantized runs its operators one by one, as they stand.

    Fused, float32 operators round otherwise in the last digit, each model's in its own way. Where numbers are
    put into 256 steps as it runs, the last digit decides between two of them, and two forms of one quantized
    model differ by as much as quantizing does. One by one they give the same numbers.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4  # what it cannot run is found out by trying
    if quantized_operators(model):
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def check_outputs(path: Path, model: onnx.ModelProto) -> None:
    """Make sure that a file does not itself say that none of its outputs is [batch, number].

    Raises:
        ConfigError: naming the outputs.
    """
    shapes = [value.type.tensor_type for value in model.graph.output]
    if all(shape.HasField("shape") and len(shape.shape.dim) != 2 for shape in shapes):
        raise _no_answer(path, _list_outputs(model))


def choose_output(
    path: Path, model: onnx.ModelProto, run: RunAll, rows: Sequence[Encoded], labels: int | None
) -> tuple[str, int]:
    """Return the output that holds what the model answers, and how many numbers that is.

    It is the one with a column for each of the `labels` that config.json names; where it names none, the one
    that does not grow with the text. Of several the one called logits. `rows` are texts, two at least, of
    different lengths.

    Raises:
        ConfigError: there is none, or no telling which; or what it gives are probabilities already, or a
            vector of the text.
    """
    given = [run(row) for row in rows]
    fixed = {name: _count_columns([one[name] for one in given]) for name in given[0]}
    fixed = {name: count for name, count in fixed.items() if count}
    said = _list_outputs(model)
    fitting = [name for name, count in fixed.items() if labels in (None, count)]
    if not fixed:
        raise _no_answer(path, said)
    if not fitting:
        raise ConfigError(
            f"{path}: gives {said}; expected one [batch, {labels}], a column for each of the {labels} labels "
            "that id2label in its config.json names"
        )
    vectors = [name for name in fitting if _is_vector(name, [one[name] for one in given])]
    if len(vectors) == len(fitting):
        shape = write_shape(["batch", fixed[vectors[0]]])
        raise ConfigError(
            f"{path}: {vectors[0]} {shape} is a vector of the text, which answers nothing; expected logits, "
            "one number for each label: export the model with its head"
        )
    fitting = [name for name in fitting if name not in vectors]
    plain = [name for name in fitting if not _find_probabilities(model, name, [one[name] for one in given])]
    if not plain:
        kind = _find_probabilities(model, fitting[0], [one[fitting[0]] for one in given])
        raise ConfigError(
            f"{path}: {fitting[0]} is {kind} already; expected the number before it, of which the answer is "
            "made here: export it without its last operator"
        )
    chosen = plain if len(plain) == 1 else [name for name in plain if name == OUTPUT]
    if not chosen:
        raise ConfigError(
            f"{path}: gives {said}; expected one output [batch, label], or one called {OUTPUT}: nothing says "
            "which is its answer; name the labels in config.json (id2label), or export it with one output"
        )
    return chosen[0], fixed[chosen[0]]


def _count_columns(rows: Sequence[Any]) -> int:
    """Return how many numbers an output has for every text; 0 where it has none of its own, or no fractions.

    Whole numbers are no logits: they count labels, or name the one that was chosen.
    """
    arrays = [one for one in rows if isinstance(one, np.ndarray) and one.dtype.kind == "f" and one.ndim == 2]
    shapes = {one.shape for one in arrays}
    return int(arrays[0].shape[1]) if len(arrays) == len(rows) and len(shapes) == 1 else 0


def _is_vector(name: str, rows: Sequence[npt.NDArray[Any]]) -> bool:
    """Say whether an output is a vector of the text: by its name, or because each row has the length 1."""
    values = np.concatenate(rows).astype(np.float64)
    lengths = np.sqrt((values**2).sum(1))
    return name in _VECTORS or bool(values.shape[1] > 1 and (abs(lengths - 1) <= _SUM_ERROR).all())


def _find_probabilities(model: onnx.ModelProto, output: str, rows: Sequence[npt.NDArray[Any]]) -> str | None:
    """Say what an output is where it is probabilities: by its last operator, or because its rows sum to 1."""
    makers = find_makers(model.graph)
    maker = makers.get(output)
    while maker is not None and maker.op_type in _THROUGH:
        maker = makers.get(maker.input[0])
    if maker is not None and maker.op_type in _PROBABILITIES:
        return f"a {maker.op_type.lower()}"
    values = np.concatenate(rows).astype(np.float64)
    is_spread = values.shape[1] > 1 and (values >= 0).all() and (abs(values.sum(1) - 1) <= _SUM_ERROR).all()
    return "a softmax" if is_spread else None


def _list_outputs(model: onnx.ModelProto) -> str:
    return ", ".join(f"{value.name} {write_shape(read_shape(value))}" for value in model.graph.output)


def _no_answer(path: Path, said: str) -> ConfigError:
    return ConfigError(
        f"{path}: gives {said}; expected logits [batch, label] with a fixed number of labels, or [batch, 1]: "
        "a model of token or sentence vectors has no answer to compile; export it with its head"
    )
