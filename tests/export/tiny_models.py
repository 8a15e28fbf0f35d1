"""Models as others have them, tiny and random: a folder of transformers or an ONNX file, with a tokenizer."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

WORDS = ("where", "is", "my", "order", "return", "the", "parcel", "today", "please", "##ing", "advice")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789?!.,'"
VOCABULARY = (*SPECIAL, *LETTERS, *(f"##{letter}" for letter in LETTERS[:36]), *WORDS)
TEXTS = ("where is my order", "return the parcel please", "advice today?", "ORDERS returning 42")
LABELS = ("order", "return", "advice")
SETTINGS = {
    "tokenizer_class": "BertTokenizer",
    "model_max_length": 32,
    **{f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")},
}
SHAPE = {
    "vocab_size": len(VOCABULARY),
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 32,
    "id2label": dict(enumerate(LABELS)),
    "label2id": {name: number for number, name in enumerate(LABELS)},
}


def write_tokenizer(folder: Path, added=(), alone=False, **settings) -> None:
    """Write BERT's tokenizer with a small vocabulary; `alone` without what transformers reads beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = {token: number for number, token in enumerate(VOCABULARY)}
    tokenizer = Tokenizer(models.WordPiece(numbers, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", [("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.add_special_tokens([*SPECIAL, *added])
    tokenizer.save(str(folder / "tokenizer.json"))
    if not alone:
        (folder / "tokenizer_config.json").write_text(json.dumps({**SETTINGS, **settings}))


def write_model(folder: Path, kind="Bert", **config):
    """Write a classifier's folder of a family of transformers; return the model."""
    import torch
    import transformers

    from edgekd.distill.weights import quiet

    torch.manual_seed(1)
    of, shape = (getattr(transformers, f"{kind}{what}") for what in ("ForSequenceClassification", "Config"))
    with quiet():
        model = of(shape(**{**SHAPE, **config})).eval()
        for weight in model.parameters():  # apart enough that labels differ
            weight.data.normal_(0, 0.4)
        model.save_pretrained(folder)
    return model


def change_json(path: Path, **changes) -> None:
    """Change an object's keys; those whose new value is None go."""
    document = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in document.items() if value is not None}))


def change_weights(folder: Path, change) -> None:
    """Let a function change a folder's weights, by name."""
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def copy(folder: Path, to: Path) -> Path:
    """Copy a folder that others read, too."""
    return shutil.copytree(folder, to)


def write_onnx(folder: Path, *, opset=17, columns=3, outputs=("logits",), end=None, rows=None):
    """Write a bag of words as an ONNX file with a mask: the mean of token vectors, a product for each output.

    Outputs after the first have a column more each; `end` is an operator put after each product.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    width = 16
    free = ["batch", "sequence"]
    given = [
        helper.make_tensor_value_info(name, TensorProto.INT64, free)
        for name in ("input_ids", "attention_mask")
    ]
    weights = {"table": rng.normal(size=(rows or len(VOCABULARY), width)), "last": np.array([-1])}
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["vectors"], "look"),
        helper.make_node("Cast", ["attention_mask"], ["numbers"], "cast", to=TensorProto.FLOAT),
    ]
    if opset < 13:
        nodes.append(helper.make_node("Unsqueeze", ["numbers"], ["column"], "wide", axes=[2]))
    else:
        nodes.append(helper.make_node("Unsqueeze", ["numbers", "last"], ["column"], "wide"))
    nodes += [
        helper.make_node("Mul", ["vectors", "column"], ["masked"], "mask"),
        helper.make_node("ReduceMean", ["masked"], ["mean"], "mean", axes=[1], keepdims=0),
    ]
    told = []
    for place, name in enumerate(outputs):
        size = columns + place
        weights[f"head_{name}"] = rng.normal(size=(width, size)) * 2
        before = f"{name}_before" if end else name
        nodes.append(helper.make_node("MatMul", ["mean", f"head_{name}"], [before], f"head_{name}"))
        if end:
            nodes.append(helper.make_node(end, [before], [name], f"end_{name}"))
        told.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size]))
    tensors = [
        numpy_helper.from_array(value.astype(np.int64 if name == "last" else np.float32), name)
        for name, value in weights.items()
        if name != "last" or opset >= 13
    ]
    graph = helper.make_graph(nodes, "bag", given, told, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(model, folder / "model.onnx")
    return model


def make_half(model):
    """Return a copy in half precision, inputs of numbers and all, as converters write it."""
    half = onnx.ModelProto.FromString(model.SerializeToString())
    for tensor in half.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            values = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    for node in half.graph.node:
        for attribute in node.attribute:
            if attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.FLOAT16
    for value in half.graph.output:
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    return half
