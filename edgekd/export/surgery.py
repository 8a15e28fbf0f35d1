"""Work on ONNX graphs, in place: who makes and who reads a value, nodes replaced, what nothing reads dropped.

Values have names that are unique in a graph; nodes need none. So a node is known by its first output.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import onnx

T = TypeVar("T")


def name_node(node: onnx.NodeProto) -> str:
    """Return a name that no other node has: its own, or where it has none its first output's."""
    return str(node.name or node.output[0])


def find_makers(graph: onnx.GraphProto) -> dict[str, onnx.NodeProto]:
    """Return the node that makes each value."""
    return {name: node for node in graph.node for name in node.output}


def find_readers(graph: onnx.GraphProto) -> dict[str, onnx.NodeProto]:
    """Return the last node that reads each value."""
    return {name: node for node in graph.node for name in node.input}


def find_constants(graph: onnx.GraphProto) -> dict[str, onnx.TensorProto]:
    """Return each constant by its name."""
    return {constant.name: constant for constant in graph.initializer}


def copy_message(message: T) -> T:
    """Copy a message of protobuf: one that is taken out of a list must not be put back itself."""
    copied: T = type(message).FromString(message.SerializeToString())  # type: ignore[attr-defined]
    return copied


def replace_nodes(graph: onnx.GraphProto, nodes: Iterable[onnx.NodeProto]) -> None:
    """Put these nodes in the place of all, in an order in which each value is made before it is read.

    Constants that no node reads any more are dropped, and so are notes on the shapes of values.
    """
    copies = [copy_message(node) for node in nodes]
    del graph.node[:], graph.value_info[:]
    graph.node.extend(copies)
    read = _read_names(graph)
    replace_constants(graph, [constant for constant in graph.initializer if constant.name in read])


def replace_constants(graph: onnx.GraphProto, constants: Iterable[onnx.TensorProto]) -> None:
    """Put these constants in the place of all; of two with one name, the first place and the last value."""
    copies = {constant.name: copy_message(constant) for constant in constants}
    del graph.initializer[:]
    graph.initializer.extend(copies.values())


def drop_unread(graph: onnx.GraphProto) -> None:
    """Drop nodes that no output of the graph needs, and then constants."""
    needed = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed & set(node.output) - {""}:
            needed |= _reads(node)
            kept.append(node)
    replace_nodes(graph, reversed(kept))


def expose_values(model: onnx.ModelProto, names: Sequence[str], kind: int) -> onnx.ModelProto:
    """Return a copy of a model that gives these values, of this type of tensor, instead of its outputs."""
    from onnx import helper

    watched = copy_message(model)
    del watched.graph.output[:]
    watched.graph.output.extend(helper.make_tensor_value_info(name, kind, None) for name in names)
    drop_unread(watched.graph)
    return watched


def require_domain(model: onnx.ModelProto, domain: str) -> None:
    """Let the model use operators of a domain, in its version 1, if it does not yet."""
    from onnx import helper

    if not any(one.domain == domain for one in model.opset_import):
        model.opset_import.append(helper.make_opsetid(domain, 1))


def _read_names(graph: onnx.GraphProto) -> set[str]:
    return {name for node in graph.node for name in _reads(node)} | {value.name for value in graph.output}


def _reads(node: onnx.NodeProto) -> set[str]:
    """Name what a node reads; a graph inside it (of If or Loop) reads values of the graph around it."""
    inner = [one.g for one in node.attribute if one.HasField("g")]
    return set(node.input).union(*map(_read_names, inner))
