"""Matrix products with int8 weights, activations quantized as they come, that no instruction set saturates.

ONNX Runtime on x86 without VNNI multiplies unsigned activations (0 to 255) by signed weights and adds the
products of rows 2i and 2i + 1 in 16 bits (VPMADDUBSW), which saturates beyond 32,767. Two weights of one sign
that sum to at most 128 cannot: 255 * 128 = 32,640; two of opposite signs never do. So each column's scale is
the least with which both hold: every weight at most 127 in size, every such pair at most 127 before rounding.
Of a trained student's columns that costs 1.3 times the step of the plain scale, where giving up a whole bit
(`reduce_range`) costs 2 times. The bound holds for any input: AVX2 and VNNI give the same sums.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edgekd.export.surgery import (
    find_constants,
    find_readers,
    name_node,
    replace_nodes,
    require_domain,
)

if TYPE_CHECKING:
    import onnx

DOMAIN = "com.microsoft"


def safe_scales(weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return each column's step [column] for weights [row, column]: no pair of rows can saturate.

    >>> [round(step, 3) for step in safe_scales(np.array([[1.27, 1.27], [1.27, -1.27]])).tolist()]
    [0.02, 0.01]
    """
    size = np.abs(weights)
    even = len(weights) // 2 * 2
    first, second = weights[:even:2], weights[1:even:2]
    pairs = np.where(first * second > 0, size[:even:2] + size[1:even:2], 0)
    largest = np.maximum(size.max(0), pairs.max(0, initial=0))
    return np.where(largest == 0, 1, largest / 127).astype(np.float32)


@dataclass(frozen=True)
class Product:
    """A product with constant weights [row, column], and the sum with a constant vector that follows it.

    `bias` names the vector, `output` what comes out in the end.
    """

    node: onnx.NodeProto
    weights: npt.NDArray[np.float32]
    bias: str | None
    output: str


def read_products(model: onnx.ModelProto) -> list[Product]:
    """Return the products with constant weights, in the graph's order."""
    graph = model.graph
    constants, after = find_constants(graph), find_readers(graph)
    readers = Counter(name for node in graph.node for name in node.input)
    found = []
    for node in graph.node:
        product = _read_product(node, constants)
        if product is None:
            continue
        weights, bias = product
        output, following = node.output[0], after.get(node.output[0])
        if bias is None and following is not None and readers[output] == 1 and following.op_type == "Add":
            vectors = (one for one in following.input if _is_vector(constants.get(one), weights.shape[1]))
            bias = next(vectors, None)
            output = following.output[0] if bias else output
        found.append(Product(node, weights, bias, output))
    return found


def quantize_products(model: onnx.ModelProto, kept: Collection[str] = ()) -> onnx.ModelProto:
    """Replace products with constant weights by int8 ones, in place, but for the nodes named in `kept`.

    One product becomes DynamicQuantizeLinear, shared by all that multiply the same value, and
    MatMulIntegerToFloat, which adds the bias, too.
    """
    from onnx import helper, numpy_helper

    graph = model.graph
    steps: dict[str, tuple[str, str, str]] = {}

    def make(product: Product) -> list[onnx.NodeProto]:
        node, made = product.node, []
        scales = safe_scales(product.weights)
        name = f"{name_node(node)}_{node.input[1]}"
        rows = np.rint(product.weights / scales).astype(np.int8)
        graph.initializer.extend(
            [
                numpy_helper.from_array(np.ascontiguousarray(rows), f"{name}_int8"),
                numpy_helper.from_array(scales, f"{name}_scale"),
                numpy_helper.from_array(np.zeros(len(scales), np.int8), f"{name}_zero"),
            ]
        )
        source = node.input[0]
        if source not in steps:
            steps[source] = (f"{source}_uint8", f"{source}_scale", f"{source}_zero")
            made.append(
                helper.make_node("DynamicQuantizeLinear", [source], steps[source], f"{source}_quantize")
            )
        values, scale, zero = steps[source]
        given = [values, f"{name}_int8", scale, f"{name}_scale", zero, f"{name}_zero"]
        given += [product.bias] if product.bias else []
        return [
            *made,
            helper.make_node("MatMulIntegerToFloat", given, [product.output], node.name, domain=DOMAIN),
        ]

    return replace_products(model, [one for one in read_products(model) if one.node.name not in kept], make)


def replace_products(
    model: onnx.ModelProto, products: Sequence[Product], make: Callable[[Product], list[onnx.NodeProto]]
) -> onnx.ModelProto:
    """Put what `make` returns in the place of each product and of its bias's sum, in place."""
    graph = model.graph
    ours = {product.node.output[0]: product for product in products}
    gone = {product.output for product in products} - set(ours)
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.output[0] in ours:
            nodes += make(ours[node.output[0]])
        elif node.output[0] not in gone:
            nodes.append(node)
    replace_nodes(graph, nodes)
    if products:
        require_domain(model, DOMAIN)
    return model


def _read_product(
    node: onnx.NodeProto, constants: dict[str, onnx.TensorProto]
) -> tuple[npt.NDArray[np.float32], str | None] | None:
    """Return the weights [row, column] and the bias of a product with constant weights."""
    from onnx import helper, numpy_helper

    tensor = constants.get(node.input[1]) if node.op_type in ("MatMul", "Gemm") else None
    if tensor is None or len(tensor.dims) != 2:
        return None
    weights = numpy_helper.to_array(tensor).astype(np.float32)
    if node.op_type == "MatMul":
        return weights, None
    settings = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    if settings.get("alpha", 1.0) != 1 or settings.get("beta", 1.0) != 1 or settings.get("transA", 0):
        return None
    bias = node.input[2] if len(node.input) > 2 else None
    if bias is not None and not _is_vector(
        constants.get(bias), tensor.dims[0 if settings.get("transB", 0) else 1]
    ):
        return None
    return weights.T if settings.get("transB", 0) else weights, bias


def _is_vector(tensor: onnx.TensorProto | None, size: int) -> bool:
    return tensor is not None and list(tensor.dims) == [size]
