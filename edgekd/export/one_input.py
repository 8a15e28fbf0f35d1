"""An ONNX model of texts made one of ids alone: without padding, mask and token types are constants."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgekd.errors import ConfigError
from edgekd.export.graph import INPUT, OUTPUT
from edgekd.export.surgery import drop_unread, name_apart, rename_apart, rename_value, replace_nodes

if TYPE_CHECKING:
    import onnx

TYPES = "token_type_ids"
CONSTANT = {"attention_mask": 1, TYPES: 0}
_QUANTIZED = re.compile(
    r"QLinear|QAttention|QGemm|QEmbed|QMoE|MatMulNBits|MatMulBnb4|GatherBlockQuantized|\w*Quantize|\w*Integer"
)
"""Beginnings of the names of operators that only a quantized model has."""


def check_inputs(path: Path, model: onnx.ModelProto) -> None:
    """Make sure that a model reads ids, and nothing that does not follow from them.

    Raises:
        ConfigError: naming the inputs, or the one whose shape is not free.
    """
    inputs = list_inputs(model)
    odd = [value.name for value in inputs if value.name not in (INPUT, *CONSTANT)]
    if odd or INPUT not in {value.name for value in inputs}:
        names = ", ".join(value.name for value in inputs) or "none"
        raise ConfigError(
            f"{path}: its inputs are {names}; expected {INPUT}, and no other than {', '.join(CONSTANT)}"
        )
    for value in inputs:
        shape = read_shape(value)
        if len(shape) != 2 or any(isinstance(size, int) for size in shape):
            raise ConfigError(
                f"{path}: {value.name} has the shape {write_shape(shape)}; expected [batch, sequence], both "
                "free: export it again with dynamic axes"
            )


def list_inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """List what a model is given, without weights: old files list these among the inputs."""
    weights = {weight.name for weight in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in weights]


def make_one_input(model: onnx.ModelProto, output: str, count: int, separator: int | None = None) -> None:
    """Make a model `input_ids` int64 [batch, sequence] -> `logits` float32 [batch, output], in place.

    `output` names the value that becomes `logits`, with `count` outputs; what only others need is dropped.
    With a `separator` token types are 1 after the first such id of a row, else 0.
    """
    from onnx import TensorProto, helper

    graph = model.graph
    kinds = {value.name: value.type.tensor_type.elem_type for value in list_inputs(model)}
    kind = next(value.type.tensor_type.elem_type for value in graph.output if value.name == output)
    shape = f"{INPUT}_shape"
    rename_apart(graph, shape)
    before, after = [], []
    if kinds[INPUT] != TensorProto.INT64:
        inner = rename_apart(graph, INPUT)
        before.append(helper.make_node("Cast", [INPUT], [inner], f"{inner}_cast", to=kinds[INPUT]))
    others = [name for name in kinds if name != INPUT]
    if others:
        before.append(helper.make_node("Shape", [INPUT], [shape], f"{shape}_read"))
    for name in others:
        if name == TYPES and separator is not None:
            before += _make_types(graph, kinds[name], separator)
            continue
        fill = helper.make_tensor("value", kinds[name], [1], [CONSTANT[name]])
        before.append(helper.make_node("ConstantOfShape", [shape], [name], f"{name}_fill", value=fill))
    if output != OUTPUT or kind != TensorProto.FLOAT:
        inner = rename_apart(graph, OUTPUT)
        output = inner if output == OUTPUT else output
    if kind != TensorProto.FLOAT:
        after.append(helper.make_node("Cast", [output], [OUTPUT], f"{OUTPUT}_cast", to=TensorProto.FLOAT))
    elif output != OUTPUT:
        rename_value(graph, output, OUTPUT)
    del graph.input[:], graph.output[:]
    graph.input.append(helper.make_tensor_value_info(INPUT, TensorProto.INT64, ["batch", "sequence"]))
    graph.output.append(helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", count]))
    replace_nodes(graph, [*before, *graph.node, *after])
    drop_unread(graph)
    name_apart(graph)


def _make_types(graph: onnx.GraphProto, kind: int, separator: int) -> list[onnx.NodeProto]:
    """Make the nodes that give token types: whether a separator stands before, counted along a row."""
    from onnx import TensorProto, helper

    names = [f"{TYPES}_{what}" for what in ("separator", "axis", "is_separator", "number", "before", "after")]
    for name in names:
        rename_apart(graph, name)
    token, axis, is_separator, number, before, after = names
    graph.initializer.append(helper.make_tensor(token, TensorProto.INT64, [1], [separator]))
    graph.initializer.append(helper.make_tensor(axis, TensorProto.INT64, [], [1]))
    return [
        helper.make_node("Equal", [INPUT, token], [is_separator], is_separator),
        helper.make_node("Cast", [is_separator], [number], number, to=TensorProto.INT64),
        helper.make_node("CumSum", [number, axis], [before], before, exclusive=1),
        helper.make_node("Cast", [before], [after], after, to=TensorProto.BOOL),
        helper.make_node("Cast", [after], [TYPES], f"{TYPES}_cast", to=kind),
    ]


def quantized_operators(model: onnx.ModelProto) -> tuple[str, ...]:
    """Name the operators of a model, sorted, that only a quantized one has."""
    kinds = {node.op_type for node in model.graph.node}
    kinds |= {node.op_type for function in model.functions for node in function.node}
    return tuple(sorted(kind for kind in kinds if _QUANTIZED.match(kind)))


def read_shape(value: onnx.ValueInfoProto) -> list[int | str]:
    """Return the sizes of a value as its file says them: numbers, or names of those that are free."""
    dims = value.type.tensor_type.shape.dim
    return [dim.dim_value if dim.HasField("dim_value") else dim.dim_param or "?" for dim in dims]


def write_shape(shape: Sequence[int | str]) -> str:
    """Write sizes as they stand in errors.

    >>> write_shape(["batch", 3])
    '[batch, 3]'
    """
    return "[" + ", ".join(map(str, shape)) + "]"
