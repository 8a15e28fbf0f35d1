"""An ONNX model of texts made one of ids alone: without padding, mask and token types are constants."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekd.errors import ConfigError, MissingExtraError
from edgekd.export.graph import INPUT, OUTPUT
from edgekd.export.surgery import find_makers, replace_nodes

if TYPE_CHECKING:
    import onnx

CONSTANT = {"attention_mask": 1, "token_type_ids": 0}
_QUANTIZED = {
    "DequantizeLinear",
    "DynamicQuantizeLinear",
    "DynamicQuantizeMatMul",
    "MatMulInteger",
    "MatMulIntegerToFloat",
    "MatMulNBits",
    "QAttention",
    "QLinearMatMul",
    "QuantizeLinear",
}


def read_one_input(path: Path) -> tuple[onnx.ModelProto, int]:
    """Read a model as `input_ids` int64 [batch, sequence] -> `logits` [batch, output]; and count outputs.

    Raises:
        ConfigError: naming the input or output that does not fit.
    """
    try:
        import onnx
    except ModuleNotFoundError:
        raise MissingExtraError("onnx", "onnx") from None
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except Exception as error:  # noqa: BLE001  (protobuf's, onnx's and the system's own)
        raise ConfigError(f"{path}: cannot be read as ONNX: {' '.join(str(error).split()):.200}") from None
    graph = model.graph
    weights = {weight.name for weight in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    ids = _find_ids(path, inputs)
    output, count = _find_output(path, graph.output)
    maker = find_makers(graph).get(output.name)
    if count == 1 and maker is not None and maker.op_type == "Sigmoid":
        raise ConfigError(
            f"{path}: {output.name} is a sigmoid already; expected the number before it, of which a score is "
            "made here: export it without its last operator"
        )
    _rename(graph, output.name, OUTPUT)
    nodes = _make_inputs(onnx, graph, ids, [value for value in inputs if value is not ids])
    del graph.input[:], graph.output[:]
    graph.input.append(
        onnx.helper.make_tensor_value_info(INPUT, onnx.TensorProto.INT64, ["batch", "sequence"])
    )
    graph.output.append(onnx.helper.make_tensor_value_info(OUTPUT, onnx.TensorProto.FLOAT, ["batch", count]))
    replace_nodes(graph, [*nodes, *graph.node])
    return model, count


def quantized_operators(path: Path) -> tuple[str, ...]:
    """Name the operators of a model, sorted, that only a quantized one has."""
    import onnx

    kinds = {node.op_type for node in onnx.load(path).graph.node}
    return tuple(sorted(kinds & _QUANTIZED))


def _find_ids(path: Path, inputs: list[Any]) -> Any:
    odd = [value.name for value in inputs if value.name not in (INPUT, *CONSTANT)]
    found = [value for value in inputs if value.name == INPUT]
    if odd or not found:
        names = ", ".join(value.name for value in inputs)
        raise ConfigError(
            f"{path}: its inputs are {names}; expected {INPUT}, and no other than {', '.join(CONSTANT)}"
        )
    for value in inputs:
        shape = _shape(value)
        if len(shape) != 2 or any(isinstance(size, int) for size in shape):
            raise ConfigError(
                f"{path}: {value.name} has the shape {_words(shape)}; expected [batch, sequence], both free: "
                "export it again with dynamic axes"
            )
    return found[0]


def _find_output(path: Path, outputs: Any) -> tuple[Any, int]:
    """Return the value that is [batch, output] and how many outputs it has.

    Of several, the first with an output per label; else the first with one output, a score's.
    """
    shapes = [(value, shape) for value in outputs if len(shape := _shape(value)) == 2]
    found = [(value, count) for value, (_, count) in shapes if isinstance(count, int) and count > 0]
    if found:
        return next((one for one in found if one[1] > 1), found[0])
    said = ", ".join(f"{value.name} {_words(_shape(value))}" for value in outputs)
    raise ConfigError(
        f"{path}: gives {said}; expected logits [batch, label] with a fixed number of labels, or [batch, 1]: "
        "a model of token or sentence vectors has no answer to compile; export it with its head"
    )


def _make_inputs(onnx: Any, graph: Any, ids: Any, others: list[Any]) -> list[Any]:
    """Make the nodes that give every old input from the one new one, `input_ids` in int64."""
    helper = onnx.helper
    nodes = []
    if ids.type.tensor_type.elem_type != onnx.TensorProto.INT64:
        narrow = f"{INPUT}_narrow"
        _rename(graph, INPUT, narrow)
        nodes.append(helper.make_node("Cast", [INPUT], [narrow], to=ids.type.tensor_type.elem_type))
    if others:
        nodes.append(helper.make_node("Shape", [INPUT], [f"{INPUT}_shape"]))
    for value in others:
        kind = value.type.tensor_type.elem_type
        fill = helper.make_tensor("value", kind, [1], [CONSTANT[value.name]])
        nodes.append(helper.make_node("ConstantOfShape", [f"{INPUT}_shape"], [value.name], value=fill))
    return nodes


def _rename(graph: Any, old: str, new: str) -> None:
    """Rename a value wherever the main graph, or a graph inside one of its nodes, names it."""
    for node in graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name == old:
                    names[place] = new
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _rename(attribute.g, old, new)


def _shape(value: Any) -> list[int | str]:
    dims = value.type.tensor_type.shape.dim
    return [dim.dim_value if dim.HasField("dim_value") else dim.dim_param or "?" for dim in dims]


def _words(shape: list[int | str]) -> str:
    return "[" + ", ".join(map(str, shape)) + "]"
