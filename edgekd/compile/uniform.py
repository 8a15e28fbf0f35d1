"""Tensors that hold one and the same number in every place, whatever the input: folded into constants.

A model that was exported with a mask and is given none has a mask of ones, from which nodes make a bias of
zeros of the input's own shape. No library folds that, as the shape is not known, and NNCF fails on it: its
pass over constants meets a tensor that OpenVINO cannot compute. What is folded here is the number, not the
shape.

Each value has bounds: the least and the greatest number that it can hold. They go from nodes to those that
read them, as in interval arithmetic, and a value of equal bounds is uniform.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekd.export.surgery import copy_message, drop_unread

if TYPE_CHECKING:
    import onnx

Bounds = tuple[float, float]
_UNKNOWN: Bounds = (-math.inf, math.inf)
_MOST_NUMBERS = 65_536  # of a constant whose bounds are looked up
# What only moves numbers, from its first input.
_MOVES = {
    *("Identity", "Unsqueeze", "Squeeze", "Reshape", "Expand", "Transpose", "Slice", "Flatten", "Tile"),
    *("Gather", "GatherND", "GatherElements"),
}
# Where a shape is that of all inputs together, so that a uniform one may be a single number.
_ELEMENTWISE = {"Add", "Sub", "Mul", "Div", "And", "Or", "Where", "Max", "Min", "Equal", "Pow"}


def fold_uniform(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy whose elementwise operators read a constant where an operand is uniform; else the model.

    An operand is replaced only where another one of the same operator is not uniform, and gives the shape.
    Whether it gives all of it is for the proof of the compiled model's answers to tell.
    """
    import onnx

    bounds = _find_bounds(model.graph)
    kinds = _find_kinds(model)
    constants = {constant.name for constant in model.graph.initializer}
    folded = copy_message(model)
    added: dict[str, Any] = {}
    for node in folded.graph.node:
        if node.op_type not in _ELEMENTWISE or all(_is_uniform(bounds, name) for name in node.input):
            continue
        for place, name in enumerate(node.input):
            if not _is_uniform(bounds, name) or name in constants or name not in kinds:
                continue
            constant = f"{name}_everywhere"
            number = np.array(bounds[name][0], onnx.helper.tensor_dtype_to_np_dtype(kinds[name]))
            added[constant] = onnx.numpy_helper.from_array(number, constant)
            node.input[place] = constant
    if not added:
        return model
    folded.graph.initializer.extend(added.values())
    drop_unread(folded.graph)
    return folded


def _is_uniform(bounds: Mapping[str, Bounds], name: str) -> bool:
    low, high = bounds.get(name, _UNKNOWN)
    return low == high and math.isfinite(low)


def _find_kinds(model: onnx.ModelProto) -> dict[str, int]:
    """Return the type of each value's elements, as far as shape inference tells it."""
    import onnx

    try:
        inferred = onnx.shape_inference.infer_shapes(model)
    except Exception:  # noqa: BLE001  (a model over protobuf's limit, or of operators without inference)
        return {}
    return {value.name: value.type.tensor_type.elem_type for value in inferred.graph.value_info}


def _find_bounds(graph: onnx.GraphProto) -> dict[str, Bounds]:
    import onnx

    found = {
        constant.name: _of_array(onnx.numpy_helper.to_array(constant))
        for constant in graph.initializer
        if math.prod(constant.dims) <= _MOST_NUMBERS
    }
    for node in graph.node:
        given = [found.get(name, _UNKNOWN) for name in node.input]
        settings = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
        low, high = _of_node(node.op_type, given, settings)
        if low <= high:  # neither is NaN
            found[node.output[0]] = (low, high)
    return found


def _of_array(values: Any) -> Bounds:
    if not values.size or values.dtype.kind not in "biuf" or np.isnan(values).any():
        return _UNKNOWN
    return float(values.min()), float(values.max())


def _of_node(kind: str, given: list[Bounds], settings: Mapping[str, Any]) -> Bounds:
    """Return bounds of what an operator gives, from those of what it reads; unknown where it is not known."""
    import onnx

    if kind in _MOVES:
        return given[0]
    if kind == "Constant" and "value" in settings:
        return _of_array(onnx.numpy_helper.to_array(settings["value"]))
    if kind == "ConstantOfShape":
        return _of_array(onnx.numpy_helper.to_array(settings["value"])) if "value" in settings else (0.0, 0.0)
    if kind in ("Shape", "Size"):
        return 0.0, math.inf
    if kind == "Concat":
        return min(low for low, _ in given), max(high for _, high in given)
    if kind == "Range" and given[2][0] > 0:
        return given[0][0], given[1][1]
    if kind == "Cast":
        return _cast(given[0], settings["to"] == onnx.TensorProto.BOOL)
    if kind == "Where":
        return _choose(*given)
    return _calculate(kind, given)


def _cast(value: Bounds, to_truth: bool) -> Bounds:
    low, high = value
    if to_truth:
        return (1.0, 1.0) if low > 0 or high < 0 else (0.0, 0.0) if low == high == 0 else (0.0, 1.0)
    # To an integer it might be rounded.
    return (math.floor(low) if math.isfinite(low) else low), (
        math.ceil(high) if math.isfinite(high) else high
    )


def _choose(condition: Bounds, then: Bounds, other: Bounds) -> Bounds:
    if condition == (1.0, 1.0):
        return then
    if condition == (0.0, 0.0):
        return other
    return min(then[0], other[0]), max(then[1], other[1])


def _calculate(kind: str, given: list[Bounds]) -> Bounds:
    if kind in _LOGIC and len(given) <= 2:
        return _LOGIC[kind](*given)
    if kind == "Add":
        return given[0][0] + given[1][0], given[0][1] + given[1][1]
    if kind == "Sub":
        return given[0][0] - given[1][1], given[0][1] - given[1][0]
    if kind == "Neg":
        return -given[0][1], -given[0][0]
    if kind == "Mul":
        products = [a * b for a in given[0] for b in given[1]]
        return (math.nan, math.nan) if any(map(math.isnan, products)) else (min(products), max(products))
    return _UNKNOWN


def _less(a: Bounds, b: Bounds) -> Bounds:
    return (1.0, 1.0) if a[1] < b[0] else (0.0, 0.0) if a[0] >= b[1] else (0.0, 1.0)


def _less_or_equal(a: Bounds, b: Bounds) -> Bounds:
    return (1.0, 1.0) if a[1] <= b[0] else (0.0, 0.0) if a[0] > b[1] else (0.0, 1.0)


def _equal(a: Bounds, b: Bounds) -> Bounds:
    if a[0] == a[1] == b[0] == b[1]:
        return 1.0, 1.0
    return (0.0, 0.0) if a[1] < b[0] or b[1] < a[0] else (0.0, 1.0)


_LOGIC: Mapping[str, Callable[..., Bounds]] = {
    "And": lambda a, b: (min(a[0], b[0]), min(a[1], b[1])),
    "Or": lambda a, b: (max(a[0], b[0]), max(a[1], b[1])),
    "Not": lambda a: (1.0 - a[1], 1.0 - a[0]),
    "Less": _less,
    "Greater": lambda a, b: _less(b, a),
    "LessOrEqual": _less_or_equal,
    "GreaterOrEqual": lambda a, b: _less_or_equal(b, a),
    "Equal": _equal,
}
