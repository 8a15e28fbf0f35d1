"""An ONNX file of whatever exporter, in the one form that recipes work on.

Weights are inside it and are initializers, each under one name; there are no local functions; every node has
a name of its own. Nothing of that changes an answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from edgekd.errors import ConfigError, MissingExtraError
from edgekd.export.surgery import (
    copy_message,
    name_apart,
    rename_reads,
    replace_nodes,
    share_constants,
    turn_constants,
)

if TYPE_CHECKING:
    import onnx

UPGRADED = 18
"""Older operator sets are read as this one: the first in which all operators that recipes write exist."""


def read_onnx(path: Path) -> onnx.ModelProto:
    """Read a file with all its weights; external data may lie behind links. Each node has a name of its own.

    Raises:
        ConfigError: it is no ONNX file, or its data is not where it says, or outside of its folder.
    """
    try:
        import onnx
    except ModuleNotFoundError:
        raise MissingExtraError("onnx", "onnx") from None
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # noqa: BLE001  (protobuf's, onnx's and the system's own)
        raise _unreadable(path, error) from None
    for tensor in _list_tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            _take_in(path, tensor)
    try:
        onnx.checker.check_model(model)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001
        raise _unreadable(path, error) from None
    name_apart(model.graph)  # ONNX Runtime opens none in which two nodes share a name
    return model


def normalize_model(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of a model in the form that recipes work on."""
    from onnx import inliner

    model = copy_message(model)
    if model.functions:
        model = inliner.inline_local_functions(model)
    model = _upgrade(model)
    _lift_constants(model.graph)
    _drop_aliases(model.graph)
    turn_constants(model.graph)
    share_constants(model.graph)
    name_apart(model.graph)
    return model


def _upgrade(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model in a later operator set; as it is where it is new enough, or the converter cannot."""
    import onnx

    version = next((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), UPGRADED)
    if version >= UPGRADED:
        return model
    try:
        found = onnx.version_converter.convert_version(model, UPGRADED)
        onnx.checker.check_model(found)
    except Exception:  # noqa: BLE001  (the converter has no kind of its own)
        return model  # a recipe that needs the later one says so
    return found


def _lift_constants(graph: onnx.GraphProto) -> None:
    """Make initializers of nodes that hold a tensor: recipes look for weights among those."""
    kept = []
    for node in graph.node:
        values = (
            [one.t for one in node.attribute if one.name == "value"] if node.op_type == "Constant" else []
        )
        if not values or node.domain not in ("", "ai.onnx"):
            kept.append(node)
            continue
        tensor = copy_message(values[0])
        tensor.name = node.output[0]
        graph.initializer.append(tensor)
    replace_nodes(graph, kept)


def _drop_aliases(graph: onnx.GraphProto) -> None:
    """Let nodes read an initializer itself, not through an Identity: exporters write shared weights so."""
    constants = {constant.name for constant in graph.initializer}
    outputs = {value.name for value in graph.output}
    kept, names = [], dict[str, str]()
    for node in graph.node:
        source = names.get(node.input[0], node.input[0]) if len(node.input) == 1 else ""
        if node.op_type == "Identity" and source in constants and node.output[0] not in outputs:
            names[node.output[0]] = source
        else:
            kept.append(node)
    if names:
        kept = [copy_message(node) for node in kept]
        for node in kept:
            rename_reads(node, names)
        replace_nodes(graph, kept)


def _take_in(path: Path, tensor: Any) -> None:
    """Read a tensor's external data into it. Links are followed: they are whose folder it is.

    A path that leaves the folder by its own words is not: the file alone would say what is read.
    """
    where = {entry.key: entry.value for entry in tensor.external_data}
    location = PurePosixPath(where.get("location", "").replace("\\", "/"))
    inside = bool(location.name) and not location.is_absolute() and ".." not in location.parts
    if not inside:
        raise ConfigError(
            f"{path}: keeps weights in {str(location)!r:.80}, outside of its folder; expected beside it"
        )
    file = path.parent / location
    try:
        offset, length = int(where.get("offset", 0)), int(where.get("length", -1))
        with file.open("rb") as source:
            source.seek(offset)
            content = source.read(length) if length >= 0 else source.read()
    except (OSError, ValueError, OverflowError) as error:
        raise ConfigError(
            f"{file}: {path.name} keeps weights there, and it cannot be read: {error}"
        ) from None
    if length >= 0 and len(content) != length:
        raise ConfigError(
            f"{file}: {path.name} keeps {length} bytes of {tensor.name} there, from {offset} on; found "
            f"{len(content)}: copy it again"
        )
    tensor.raw_data = content
    tensor.ClearField("external_data")
    tensor.ClearField("data_location")


def _list_tensors(model: onnx.ModelProto) -> Iterator[Any]:
    yield from _tensors_of(model.graph)
    for function in model.functions:
        yield from _tensors_of_nodes(function.node)


def _tensors_of(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    yield from _tensors_of_nodes(graph.node)


def _tensors_of_nodes(nodes: Any) -> Iterator[Any]:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _tensors_of(graph)


def _unreadable(path: Path, error: Exception) -> ConfigError:
    words = " ".join(str(error).split()) or type(error).__name__
    return ConfigError(f"{path}: cannot be read as ONNX: {words:.200}")
