"""Which int8 products saturate on x86 without VNNI, told from activations, and their repair.

VPMADDUBSW adds two products of an unsigned activation (0 to 255) and a signed weight in 16 bits: rows 2i and
2i + 1 of a column (Intel 64 manual, vol. 2; MLAS packs rows so). A pair's sum beyond 32,767 in size is cut,
and the answer is another one than with VNNI or on arm64. Over real activations every sum that an instruction
would cut is counted, so no emulator is needed to name the operators. Their repair: scales a little larger in
the columns that can saturate (`int8_products`), nothing else; the same operators, the same time.

The weights alone bound what any input can do (`bound_sums`): where that stays within 16 bits, it is a proof
for every text. It is of ONNX graphs in ONNX Runtime, and of saturation only.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edgekd.export.graph import INPUT
from edgekd.export.surgery import expose_values, find_constants, find_makers, find_readers, name_node

if TYPE_CHECKING:
    import onnx

LIMIT = (1 << 15) - 1
_LEAST, _MOST = -(1 << 15), LIMIT
# Operators that multiply whole numbers, or are made into such by the runtime.
_WHOLE = re.compile(r"^Q[A-Z]|Integer|Quantize|NBits")
_PRODUCTS = ("MatMulInteger", "MatMulIntegerToFloat")
_ROWS = 4096  # activations of tokens looked at for one operator


@dataclass(frozen=True)
class Saturation:
    """One product: columns that some input can saturate, and sums that the texts' activations did.

    `cut` of `sums` 16-bit sums lie outside their range; `worst` is the largest in size.
    """

    name: str
    columns: int
    cut: int
    sums: int
    worst: int


@dataclass(frozen=True)
class Bound:
    """What any input can do to the 16-bit sums of a model's products.

    Attributes:
        products: those of whole numbers whose weights are read.
        largest: the largest sum in size.
        unread: operators that multiply whole numbers, or may, in a way that is not followed here.
    """

    products: int
    largest: int
    unread: tuple[str, ...]

    @property
    def is_proof(self) -> bool:
        """Whether nothing can saturate, whatever the input."""
        return not self.unread and self.largest <= LIMIT


def bound_sums(model: onnx.ModelProto) -> Bound:
    """Bound the 16-bit sums from the weights alone; a model without such products has no sum at all."""
    found = _find_products(model)
    read = {id(node) for node, _ in found}
    unsigned = {node.output[0] for node in model.graph.node if node.op_type == "DynamicQuantizeLinear"}
    sums = [_largest(weights) for _, weights in found]
    unread = [node.name or node.op_type for node, _ in found if node.input[0] not in unsigned]
    for node in model.graph.node:
        if id(node) in read or node.op_type == "DynamicQuantizeLinear":
            continue
        settings = {one.name: one for one in node.attribute}
        if node.op_type == "MatMulNBits" and settings["bits"].i == 4:
            sums.append(2 * 15 * 128)  # four bits without a sign, times int8: see `int4_products`
        elif _WHOLE.search(node.op_type) or any(one.HasField("g") or one.graphs for one in node.attribute):
            unread.append(node.name or node.op_type)
    unread += [function.name for function in model.functions]
    return Bound(len(sums), max(sums, default=0), tuple(unread))


def keep_from_saturating(model: onnx.ModelProto) -> tuple[str, ...]:
    """Repair, in place, every product that some input can saturate; returns their names.

    A product whose scale cannot be found stays as it is; `bound_sums` then proves nothing.
    """
    repaired = []
    for node, weights in _find_products(model):
        if _largest(weights) <= LIMIT:
            continue
        try:
            repair_saturation(model, [name_node(node)])
        except ValueError:
            continue
        repaired.append(name_node(node))
    return tuple(repaired)


def find_saturation(model: onnx.ModelProto, rows: Sequence[Sequence[int]]) -> list[Saturation]:
    """Look at every product of uint8 activations with constant int8 weights, over rows of ids [token]."""
    found = _find_products(model)
    seen = _record(model, {node.input[0] for node, _ in found}, rows)
    return [_look(name_node(node), seen[node.input[0]], weights) for node, weights in found]


def repair_saturation(model: onnx.ModelProto, names: Collection[str]) -> onnx.ModelProto:
    """Rescale the columns of the named products that can saturate, in place.

    Raises:
        ValueError: where a product's weight scale is not a constant that can be found.
    """
    from onnx import numpy_helper

    constants = find_constants(model.graph)
    for node, weights in _find_products(model):
        factors = _factors(weights)
        if name_node(node) not in names or (factors == 1).all():
            continue
        if node.op_type == "MatMulInteger" and len(node.input) > 3:
            zero = numpy_helper.to_array(constants[node.input[3]])
            if zero.any():
                raise ValueError(f"{node.name}: weights with a zero point cannot be rescaled")
        scale = _find_scale(model, node, constants)
        rescaled = np.rint(weights / factors).astype(np.int8)
        constants[node.input[1]].CopyFrom(numpy_helper.from_array(rescaled, node.input[1]))
        steps = np.broadcast_to(numpy_helper.to_array(constants[scale]).ravel(), factors.shape) * factors
        constants[scale].CopyFrom(numpy_helper.from_array(steps.astype(np.float32), scale))
    return model


def _find_products(model: onnx.ModelProto) -> list[tuple[onnx.NodeProto, npt.NDArray[np.int8]]]:
    from onnx import TensorProto, numpy_helper

    constants = find_constants(model.graph)
    return [
        (node, numpy_helper.to_array(constants[node.input[1]]))
        for node in model.graph.node
        if node.op_type in _PRODUCTS
        and node.input[1] in constants
        and constants[node.input[1]].data_type == TensorProto.INT8
        and len(constants[node.input[1]].dims) == 2
    ]


def _record(
    model: onnx.ModelProto, names: set[str], rows: Sequence[Sequence[int]]
) -> dict[str, npt.NDArray[np.uint8]]:
    """Run the rows and return the tensors of these names, [token, width] each."""
    import onnxruntime as ort
    from onnx import TensorProto

    if not names:
        return {}
    wanted = sorted(names)
    watched = expose_values(model, wanted, TensorProto.UINT8)
    session = ort.InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    taken: dict[str, list[npt.NDArray[np.uint8]]] = {name: [] for name in wanted}
    held = 0
    for row in rows:
        if held >= _ROWS:
            break
        held += len(row)
        for name, value in zip(wanted, session.run(wanted, {INPUT: np.array([row], np.int64)}), strict=True):
            taken[name].append(value.reshape(-1, value.shape[-1]))
    return {name: np.concatenate(parts)[:_ROWS] for name, parts in taken.items()}


def _look(name: str, values: npt.NDArray[np.uint8], weights: npt.NDArray[np.int8]) -> Saturation:
    even = len(weights) // 2 * 2
    pairs = weights[:even].astype(np.float32).reshape(-1, 2, weights.shape[1])
    inputs = values[:, :even].astype(np.float32).reshape(len(values), -1, 2)
    can = np.maximum(255 * pairs.clip(min=0).sum(1) - _MOST, _LEAST - 255 * pairs.clip(max=0).sum(1)) > 0
    cut, worst = 0, 0
    for place in np.flatnonzero(can.any(1)):
        sums = inputs[:, place] @ pairs[place][:, can[place]]  # exact: below 2^24
        cut += int(((sums > _MOST) | (sums < _LEAST)).sum())
        worst = max(worst, int(np.abs(sums).max()))
    return Saturation(name, int(can.any(0).sum()), cut, len(values) * pairs.shape[0] * pairs.shape[2], worst)


def _largest(weights: npt.NDArray[np.int8]) -> int:
    """Return the largest 16-bit sum in size, over all activations of 0 to 255 and all columns."""
    size = np.zeros((len(weights) + len(weights) % 2, weights.shape[1]), np.int64)
    size[: len(weights)] = weights
    pairs = size.reshape(-1, 2, weights.shape[1])
    above, below = pairs.clip(min=0).sum(1), -pairs.clip(max=0).sum(1)
    return 255 * int(np.maximum(above, below).max(initial=0))


def _factors(weights: npt.NDArray[np.int8]) -> npt.NDArray[np.float64]:
    """How much larger each column's step must be for no input to saturate it."""
    size = weights.astype(np.int64)
    even = len(size) // 2 * 2
    first, second = size[:even:2], size[1:even:2]
    sums = np.where(first * second > 0, np.abs(first + second), 0).max(0, initial=0)
    return np.where(sums > 128, sums / 127, 1.0)


def _find_scale(model: onnx.ModelProto, node: onnx.NodeProto, constants: dict[str, onnx.TensorProto]) -> str:
    """Name the constant that holds the weights' scale: an input, or a factor of the product after it."""
    if node.op_type == "MatMulIntegerToFloat" and node.input[3] in constants:
        return str(node.input[3])
    maker, after = find_makers(model.graph), find_readers(model.graph)
    cast = after.get(node.output[0])
    scaling = None if cast is None or cast.op_type != "Cast" else after.get(cast.output[0])
    for name in () if scaling is None or scaling.op_type != "Mul" else scaling.input:
        steps = maker.get(name)
        if steps is not None and steps.op_type == "Mul":
            for given in steps.input:
                if given in constants:
                    return str(given)
    raise ValueError(f"{node.name}: the scale of its weights was not found")
