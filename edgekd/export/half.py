"""An ONNX model in half precision as the same one in single precision: weights keep their values exactly.

What is lost in the original, the rounding of what flows between operators, is not made here. Processors
without half precision cast to and fro for it, and recipes quantize single precision alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from edgekd.export.surgery import copy_message, rename_reads, replace_nodes

if TYPE_CHECKING:
    import onnx


def widen_half(model: onnx.ModelProto) -> onnx.ModelProto | None:
    """Return a copy in which all that was float16 or bfloat16 is float32; None where nothing was.

    The model has no local functions. Its inputs and outputs become float32, too.
    """
    from onnx import TensorProto, numpy_helper

    halves = {TensorProto.FLOAT16, TensorProto.BFLOAT16}
    model = copy_message(model)
    found = False
    for graph in _list_graphs(model.graph):
        tensors = [*graph.initializer]
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.name in ("to", "dtype", "output_dtype") and attribute.i in halves:
                    attribute.i, found = TensorProto.FLOAT, True
                tensors += [*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors]
        for tensor in tensors:
            if tensor.data_type in halves:
                values = numpy_helper.to_array(tensor).astype("float32")
                tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
                found = True
        for value in (*graph.input, *graph.output):
            kind = value.type.tensor_type
            if kind.elem_type in halves:
                kind.elem_type, found = TensorProto.FLOAT, True
        del graph.value_info[:]
    if not found:
        return None
    _drop_casts(model, TensorProto.FLOAT)
    return model


def _drop_casts(model: onnx.ModelProto, kind: int) -> None:
    """Drop casts of what is float32 already to float32: they stand between weights and products."""
    import onnx

    graph = model.graph
    known = {constant.name: constant.data_type for constant in graph.initializer}
    inferred = onnx.shape_inference.infer_shapes(model).graph
    for value in (*inferred.value_info, *inferred.input):
        known[value.name] = value.type.tensor_type.elem_type
    outputs = {value.name for value in graph.output}
    kept, names = [], dict[str, str]()
    for node in graph.node:
        target = next((one.i for one in node.attribute if one.name == "to"), None)
        is_idle = node.op_type == "Cast" and target == kind == known.get(node.input[0])
        if is_idle and node.output[0] not in outputs:
            names[node.output[0]] = names.get(node.input[0], node.input[0])
        else:
            kept.append(copy_message(node))
    for node in kept:
        rename_reads(node, names)
    replace_nodes(graph, kept)


def _list_graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _list_graphs(inner)
