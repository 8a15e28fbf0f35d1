"""Products of one token a text, with weights in 4 bits.

Past the last attention only the first token is computed, so a product there multiplies one row: its time is
that of reading its weights, and half the bytes are half the time. Where many rows share the weights int8 is
faster (`int8_products`). Weights have a scale a block of 128 in a column, so that its largest falls on -8;
activations are rounded to int8 inside of ONNX Runtime's `MatMulNBits`. A sum of two products is at most
2 * 15 * 127 there: nothing saturates.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edgekd.compile.int8_products import DOMAIN, Product, read_products, replace_products
from edgekd.export.surgery import name_node

if TYPE_CHECKING:
    import onnx

BLOCK = 128
_INT8_SUMS = 4  # accuracy_level: activations in int8
_ROWWISE = ("Add", "Mul", "MatMul", "Gemm", "LayerNormalization", "Gelu", "Tanh", "Relu")
_SMALLEST = 1 << 16  # weights; the head of a few labels is not worth its error


def quantize_single(model: onnx.ModelProto, kept: Collection[str] = ()) -> onnx.ModelProto:
    """Replace products with constant weights whose input is one row a text, in place, but for `kept`."""
    from onnx import helper, numpy_helper

    single = _single_rows(model)
    products = [
        product
        for product in read_products(model)
        if product.node.name not in kept
        and product.node.input[0] in single
        and product.weights.size >= _SMALLEST
        and len(product.weights) % BLOCK == 0
    ]

    def make(product: Product) -> list[onnx.NodeProto]:
        node = product.node
        packed, scales = pack(product.weights)
        name = f"{name_node(node)}_{node.input[1]}"
        model.graph.initializer.append(numpy_helper.from_array(packed, f"{name}_int4"))
        model.graph.initializer.append(numpy_helper.from_array(scales, f"{name}_scale"))
        given = [node.input[0], f"{name}_int4", f"{name}_scale"]
        return [
            helper.make_node(
                "MatMulNBits",
                [*given, "", "", product.bias] if product.bias else given,
                [product.output],
                node.name,
                domain=DOMAIN,
                K=product.weights.shape[0],
                N=product.weights.shape[1],
                bits=4,
                block_size=BLOCK,
                accuracy_level=_INT8_SUMS,
            )
        ]

    return replace_products(model, products, make)


def pack(weights: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Pack weights [row, column]: 4-bit [column, block, BLOCK / 2] and scales [column x block].

    Of two rows the even one lies in the low bits.
    """
    blocks = np.ascontiguousarray(weights.T).reshape(weights.shape[1], -1, BLOCK)
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(2, keepdims=True), 2)
    scales = largest / -8
    scales[scales == 0] = 1
    steps = (np.rint(blocks / scales).clip(-8, 7) + 8).astype(np.uint8)
    return (steps[..., ::2] | steps[..., 1::2] << 4).astype(np.uint8), scales.astype(np.float32).ravel()


def unpack(packed: npt.NDArray[np.uint8], scales: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the weights [row, column] that packed ones stand for."""
    steps = np.stack([packed & 15, packed >> 4], axis=-1).reshape(*packed.shape[:2], BLOCK)
    blocks = (steps.astype(np.float32) - 8) * scales.reshape(*packed.shape[:2], 1)
    return np.ascontiguousarray(blocks.reshape(len(packed), -1).T)


def _single_rows(model: onnx.ModelProto) -> set[str]:
    """Name the values that hold one row a text: all dimensions but the first and the last are 1.

    Shape inference knows some; the others follow, as operators that keep rows apart keep their number.
    """
    import onnx

    inferred = onnx.shape_inference.infer_shapes(model)
    constants = {weight.name: onnx.numpy_helper.to_array(weight) for weight in model.graph.initializer}
    found = set()
    for value in inferred.graph.value_info:
        dims = value.type.tensor_type.shape.dim
        if len(dims) >= 2 and all(dim.HasField("dim_value") and dim.dim_value == 1 for dim in dims[1:-1]):
            found.add(value.name)
    for node in model.graph.node:
        values = [name for name in node.input if name and name not in constants]
        if node.op_type in _ROWWISE and all(name in found for name in values):
            found |= set(node.output)
        if node.op_type == "Slice" and [
            constants.get(name, np.array(-1)).tolist() for name in node.input[1:4]
        ] == [
            [0],
            [1],
            [1],
        ]:
            found |= set(node.output)  # the first token alone
    return found
