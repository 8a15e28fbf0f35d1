"""Write a torch module as an ONNX file that is the same, byte for byte, every time."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edgekd.errors import ConfigError, MissingExtraError
from edgekd.export.graph import INPUT, OUTPUT, Graph, open_graph
from edgekd.export.surgery import replace_constants, share_constants, turn_constants
from edgekd.serving.heads import Head

if TYPE_CHECKING:
    import onnx
    import torch

# The first operator set with Gelu as one operator; ONNX Runtime since 1.17, OpenVINO since 2024.1.
OPSET = 20
_EXAMPLE_BATCH = 2  # torch.export takes a batch of 1 for a constant
_EXAMPLE_TOKENS = 8


def export_graph(
    module: torch.nn.Module,
    tokenizer: Path,
    path: Path,
    *,
    student: str,
    kind: Literal["transformer", "static"],
    head: Head,
    max_tokens: int,
) -> Graph:
    """Export a student's module (eval mode) to `path` and describe it as a Graph.

    Costs about 4 seconds. Parity is not proven here: `prove_parity` wants real text.
    """
    export_onnx(module, path, max_tokens)
    return open_graph(
        path,
        tokenizer,
        student=student,
        kind=kind,
        head=head,
        max_tokens=max_tokens,
        load=lambda: module,
    )


def export_onnx(module: torch.nn.Module, path: Path, max_tokens: int) -> None:
    """Write the module with a free batch and sequence (at most `max_tokens`), weights inside.

    By torch's own exporter (`dynamo=True`); the TorchScript one does not take a BertModel of
    transformers 5.5 without a mask, and where both work ONNX Runtime runs the two alike. What
    names the machine or the process (stack traces, paths, generated names) is dropped.

    Raises:
        ConfigError: if torch cannot follow what the module does, as where its ids decide which way it goes.
        MissingExtraError: if a library is not installed.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401  (torch's exporter needs it)
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "onnx", "onnx") from None
    import torch

    from edgekd.distill.lean import make_lean

    tokens = min(_EXAMPLE_TOKENS, max_tokens)
    ids = torch.arange(1, 1 + _EXAMPLE_BATCH * tokens).reshape(_EXAMPLE_BATCH, tokens)
    module = make_lean(module.eval(), ids, max_tokens)
    shape = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                module,
                (ids,),
                dynamo=True,
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=(shape,),
                verbose=False,
            )
    except (MemoryError, OSError):
        raise
    except Exception as error:
        raise ConfigError(f"{_name(module)}: cannot be exported: {_find_cause(error)}") from error
    assert program is not None
    model = _clean(program.model_proto)
    onnx.checker.check_model(model, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _name(module: torch.nn.Module) -> str:
    """Name the class of what a person knows: the model inside, where there is one."""
    return type(getattr(module, "model", module)).__name__


def _find_cause(error: BaseException) -> str:
    """Say in one line what an exporter's error is about: its own words are the steps that it took."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _clean(model: onnx.ModelProto) -> onnx.ModelProto:
    """Drop what does not decide the answer, and number all names in graph order."""
    graph = model.graph
    model.doc_string = graph.doc_string = ""
    graph.name = "student"
    del graph.value_info[:], graph.metadata_props[:], model.metadata_props[:], model.functions[:]
    for thing in (*graph.node, *graph.initializer, *graph.input, *graph.output):
        thing.doc_string = ""
        del thing.metadata_props[:]
    names = {value.name: value.name for value in (*graph.input, *graph.output)}
    names[""] = ""
    turn_constants(graph)
    share_constants(graph)
    used = {name for node in graph.node for name in node.input}
    weights = sorted((weight for weight in graph.initializer if weight.name in used), key=lambda w: w.name)
    for number, weight in enumerate(weights):
        names[weight.name] = weight.name = f"w{number}"
    replace_constants(graph, weights)
    for number, node in enumerate(graph.node):
        node.name = f"{node.op_type}_{number}"
        for place, output in enumerate(node.output):
            names.setdefault(output, f"v{number}_{place}")
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = [names[name] for name in node.output]
    for value, (batch, second) in ((graph.input[0], ("batch", "sequence")), (graph.output[0], ("batch", ""))):
        dims = value.type.tensor_type.shape.dim
        dims[0].dim_param = batch
        if second:
            dims[1].dim_param = second
    return model


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's progress prints, and its notes on libraries that it does not need, away."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # of what it cannot export it writes the whole graph, by many loggers
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            # The exporter's own use of interfaces that torch and copyreg have deprecated.
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logging.disable(before)
