"""A cross-encoder as others have it, tiny and random: an ONNX file with token types; and requests for it."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tiny_models import VOCABULARY, write_tokenizer

from edgekd.serving.request import join_request

LONG = "my order is where the parcel is today please " * 8
REQUESTS = [
    join_request("where is my order", ["return the parcel", "order today?", LONG]),
    join_request("advice please", ["", "advice", "ORDERS returning 42"]),
    join_request(LONG, ["a", "parcel", LONG[::-1]]),
    join_request("", ["the order", "[SEP] where [MASK]"]),
]
PAIRS = [
    tuple(part) for one in REQUESTS for part in [(one.split("\x1f")[0], c) for c in one.split("\x1f")[1:]]
]


def write_pair_file(folder, **settings):
    """Write an ONNX file whose score depends on which side of the pair a token is."""
    write_tokenizer(folder, **settings)
    rng = np.random.default_rng(0)
    names = ("input_ids", "attention_mask", "token_type_ids")
    given = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"]) for name in names]
    nodes = [
        helper.make_node("Gather", ["words", "input_ids"], ["word"], "word"),
        helper.make_node("Gather", ["kinds", "token_type_ids"], ["kind"], "kind"),
        helper.make_node("Mul", ["word", "kind"], ["both"], "both"),
        helper.make_node("ReduceSum", ["both", "axis"], ["sum"], "sum", keepdims=0),
        helper.make_node("Tanh", ["sum"], ["bent"], "bent"),
        helper.make_node("MatMul", ["bent", "head"], ["logits"], "product"),
    ]
    shapes = {"words": (len(VOCABULARY), 8), "kinds": (2, 8), "head": (8, 1)}
    tensors = [
        numpy_helper.from_array(rng.normal(size=size).astype("f"), name) for name, size in shapes.items()
    ]
    tensors.append(numpy_helper.from_array(np.array([1]), "axis"))
    told = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 1])]
    graph = helper.make_graph(nodes, "pairs", given, told, tensors)
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
        folder / "model.onnx",
    )
    return folder / "model.onnx"
