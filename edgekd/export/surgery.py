"""Work on ONNX graphs, in place: who makes and who reads a value, nodes replaced, what nothing reads dropped.

Values have names that are unique in a graph; nodes need none. So a node is known by its first output.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    import onnx

_WORTH_SHARING = 4096  # bytes; smaller ones may be alike by chance, as zeros are

T = TypeVar("T")


def name_node(node: onnx.NodeProto) -> str:
    """Return a name that no other node has: its own, or where it has none its first output's."""
    return str(node.name or node.output[0])


def name_apart(graph: onnx.GraphProto) -> None:
    """Give each node without a name, or with that of an earlier one, its own; in graphs inside nodes, too."""
    taken = {node.name for node in _all_nodes(graph)}
    seen = set[str]()
    for number, node in enumerate(_all_nodes(graph)):
        if not node.name or node.name in seen:
            name = f"{node.op_type}_{number}"
            while name in taken:
                name += "_"
            node.name = name
            taken.add(name)
        seen.add(node.name)


def rename_reads(node: onnx.NodeProto, names: Mapping[str, str]) -> None:
    """Let a node, and graphs inside it, read other values in the place of those that `names` holds."""
    for place, name in enumerate(node.input):
        node.input[place] = names.get(name, name)
    for inner in _inner_graphs(node):
        own = {name for one in inner.node for name in one.output} | {value.name for value in inner.input}
        for one in inner.node:
            rename_reads(one, {name: new for name, new in names.items() if name not in own})
        for value in inner.output:
            value.name = value.name if value.name in own else names.get(value.name, value.name)


def rename_value(graph: onnx.GraphProto, old: str, new: str) -> None:
    """Give a value another name wherever a graph makes, reads or gives it; no value has the new one yet."""
    for node in graph.node:
        rename_reads(node, {old: new})
        for place, name in enumerate(node.output):
            if name == old:
                node.output[place] = new
    for thing in (*graph.initializer, *graph.input, *graph.output):
        thing.name = new if thing.name == old else thing.name


def rename_apart(graph: onnx.GraphProto, name: str) -> str:
    """Make a name free: the value that has it, if one does, gets another; return the one that it gets."""
    taken = {one for node in _all_nodes(graph) for one in (*node.input, *node.output)}
    taken |= {thing.name for thing in (*graph.initializer, *graph.input, *graph.output)}
    other = f"{name}_inside"
    while other in taken:
        other += "_"
    rename_value(graph, name, other)
    return other


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


def turn_constants(graph: onnx.GraphProto) -> None:
    """Write constants as they are after a Transpose of theirs: recipes look at constants alone.

    Exporters leave it standing where layers share large weights; here those share what is turned, too.
    """
    from onnx import numpy_helper

    constants, outputs = find_constants(graph), {value.name for value in graph.output}
    made, names = dict[tuple[str, tuple[int, ...]], str](), dict[str, str]()
    kept = []
    for node in graph.node:
        constant = constants.get(node.input[0]) if node.op_type == "Transpose" else None
        if constant is None or node.output[0] in outputs:
            kept.append(node)
            continue
        given = [tuple(one.ints) for one in node.attribute if one.name == "perm"]
        turn = given[0] if given else tuple(reversed(range(len(constant.dims))))
        key = (constant.name, turn)
        if key not in made:
            made[key] = node.output[0]
            values = np.ascontiguousarray(numpy_helper.to_array(constant).transpose(turn))
            graph.initializer.append(numpy_helper.from_array(values, node.output[0]))
        names[node.output[0]] = made[key]
    if names:
        for node in kept:
            rename_reads(node, names)
        replace_nodes(graph, kept)


def share_constants(graph: onnx.GraphProto) -> bool:
    """Keep one of constants that are alike, from 4 KiB on; return whether there were any.

    Layers that share their weights have one each where an exporter turned them or a recipe rounded them.
    """
    from onnx import numpy_helper

    kept: dict[tuple[int, tuple[int, ...], bytes], str] = {}
    names = dict[str, str]()
    given = {value.name for value in graph.output}
    for constant in graph.initializer:
        content = numpy_helper.to_array(constant)
        if content.nbytes < _WORTH_SHARING or constant.name in given:
            continue
        digest = hashlib.sha256(np.ascontiguousarray(content).tobytes()).digest()
        first = kept.setdefault((constant.data_type, tuple(constant.dims), digest), constant.name)
        if first != constant.name:
            names[constant.name] = first
    for node in graph.node if names else ():
        rename_reads(node, names)
    if names:
        replace_constants(graph, [one for one in graph.initializer if one.name not in names])
    return bool(names)


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
    return set(node.input).union(*map(_read_names, _inner_graphs(node)))


def _inner_graphs(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    return [one.g for one in node.attribute if one.HasField("g")]


def _all_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for inner in _inner_graphs(node):
            yield from _all_nodes(inner)
