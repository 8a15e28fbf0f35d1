"""Folders of transformers: refused in one line where they are not what they seem, or answered as there."""

import json

import numpy as np
import pytest
import tiny_models as tiny

from edgekd.compile import compile_graph
from edgekd.compile.compile import Examples
from edgekd.config import Build, load_target
from edgekd.distill.weights import load_headed, load_tokenizer, quiet
from edgekd.errors import ConfigError
from edgekd.export.foreign import adopt_model
from edgekd.serving import load
from edgekd.serving.heads import Head
from edgekd.serving.tokenize import open_tokenizer


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("folder") / "shop"
    tiny.write_model(folder, num_hidden_layers=2)
    tiny.write_tokenizer(folder)
    return folder


def refuse(folder, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(ConfigError) as caught:
        adopt_model(folder, tmp_path / "out", tiny.TEXTS)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def without_head(weights):
    del weights["classifier.weight"]


def without_a_layer(weights):
    for name in [name for name in weights if ".layer.1." in name]:
        del weights[name]


def with_more(weights):
    weights["bert.encoder.layer.2.output.dense.bias"] = weights[
        "bert.encoder.layer.1.output.dense.bias"
    ].clone()


def of_other_width(weights):
    weights["bert.embeddings.word_embeddings.weight"] = weights["bert.embeddings.word_embeddings.weight"][
        :-1
    ].clone()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without_head, "the weights lack classifier.weight;"),
        (without_a_layer, "the weights lack bert.encoder.layer.1."),
        (with_more, "nothing reads bert.encoder.layer.2.output.dense.bias"),
        (of_other_width, "bert.embeddings.word_embeddings.weight has the shape"),
    ],
)
def test_weights_that_do_not_fit_are_named(made, tmp_path, change, said):
    folder = tiny.copy(made, tmp_path / "model")
    tiny.change_weights(folder, change)
    assert said in refuse(folder, tmp_path)
    if change is not without_head:
        with pytest.raises(ConfigError, match="its weights are not those of a BertForSequenceClassification"):
            load_headed(str(folder), 5)


def test_a_new_head_may_lack_the_old_one(made, tmp_path):
    folder = tiny.copy(made, tmp_path / "model")
    tiny.change_weights(folder, without_head)
    assert load_headed(str(folder), 5).config.num_labels == 5


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"id2label": {"0": "order", "1": "return"}}, "names 2 outputs (order, return), and its head"),
        (
            {"id2label": {"1": "a", "2": "b", "3": "c"}},
            "names 3 outputs (1: a, 2: b, 3: c), and the model has 3;",
        ),
        ({"id2label": {"0": "a", "1": "b", "5": "c"}}, "names 3 outputs (0: a, 1: b, 5: c)"),
        ({"id2label": {"0": "a", "1": "b", "2": "a"}}, "calls outputs 0 and 2 both 'a'"),
        ({"id2label": {"0": "a", "1": "b", "2": None}}, "2 has the name None"),
        ({"id2label": {"0": "a", "1": "b", "c": "c"}}, "id2label: 'c' is no number of an output"),
        ({"id2label": ["a", "b", "c"]}, "id2label is a list; expected an object"),
        ({"label2id": {"order": 2, "return": 1, "advice": 0}}, "calls output 0 'order', and label2id says"),
        ({"problem_type": "regression"}, "its 3 outputs are numbers of any size"),
        ({"problem_type": "ranking"}, "problem_type is 'ranking'"),
        ({"architectures": ["BertForTokenClassification"]}, "BertForTokenClassification; expected one ..."),
        ({"architectures": ["RobertaForSequenceClassification"]}, "expected both to say the same"),
    ],
)
def test_a_configuration_that_contradicts_its_model_is_one_line(made, tmp_path, changes, said):
    folder = tiny.copy(made, tmp_path / "model")
    tiny.change_json(folder / "config.json", **changes)
    assert said in refuse(folder, tmp_path)


def test_a_token_without_a_row_is_named(made, tmp_path):
    folder = tiny.copy(made, tmp_path / "model")
    tiny.write_tokenizer(folder, added=["[SHOP]"])
    assert f"no row for: '[SHOP]' ({len(tiny.VOCABULARY)})" in refuse(folder, tmp_path)


def test_a_folder_that_holds_but_an_onnx_file_says_so(made, tmp_path):
    folder = tiny.copy(made, tmp_path / "model")
    (folder / "model.safetensors").rename(folder / "model.onnx")
    assert "name the .onnx file itself" in refuse(folder, tmp_path)


def test_texts_are_read_as_the_source_reads_them(tmp_path):
    """Cut on the left, at more than 512 places, and marked with all labels that apply."""
    import torch

    folder = tmp_path / "model"
    source = tiny.write_model(
        folder, max_position_embeddings=600, problem_type="multi_label_classification", label2id=None
    )
    tiny.write_tokenizer(folder, truncation_side="left", model_max_length=10**30)
    (tmp_path / "out").mkdir()
    graph = adopt_model(folder, tmp_path / "out", tiny.TEXTS)
    assert (graph.max_tokens, graph.head) == (600, Head("tags", tiny.LABELS))
    target = load_target("lambda-x86")
    build, hardware = Build(runtime="onnxruntime", recipe="fp32"), target.hardware
    made = compile_graph(
        graph, build, hardware, Examples(tiny.TEXTS), task="tags", provenance={}, folder=tmp_path / "made"
    )
    model, tokenizer = load(made.path), load_tokenizer(str(folder))
    for text in (*tiny.TEXTS, "where is my order " * 300 + "please return today", "Où ? 漫画 🙂", ""):
        with quiet(), torch.inference_mode():
            given = tokenizer(text, truncation=True, max_length=600, return_tensors="pt")
            expected = torch.sigmoid(source(**given).logits[0]).numpy()
        answer = model(text)
        assert np.abs(np.array(list(answer.probabilities.values())) - expected).max() < 1e-4
        assert set(answer.labels) == {name for name, p in zip(tiny.LABELS, expected, strict=True) if p >= 0.5}
        assert model.describe(text, answer)["labels"] == answer.labels
    assert list(model("where").probabilities) == list(tiny.LABELS)


def test_places_are_counted_from_another_padding_id(tmp_path):
    folder = tmp_path / "model"
    tiny.write_model(folder, "Roberta", pad_token_id=3, max_position_embeddings=40)
    tiny.write_tokenizer(folder, model_max_length=512)
    tiny.change_weights(
        folder,
        lambda weights: weights.update(
            {"roberta.pooler.dense.bias": weights["classifier.dense.bias"].clone()}
        ),
    )
    (tmp_path / "out").mkdir()
    assert adopt_model(folder, tmp_path / "out", tiny.TEXTS).max_tokens == 36  # the pooler is read by nothing


@pytest.mark.long
def test_layers_that_share_weights_have_them_once(tmp_path):
    folder = tmp_path / "model"
    tiny.write_model(
        folder, "Albert", hidden_size=64, embedding_size=16, intermediate_size=256, num_hidden_layers=6
    )
    tiny.write_tokenizer(folder)
    (tmp_path / "out").mkdir()
    graph = adopt_model(folder, tmp_path / "out", tiny.TEXTS)
    size = (folder / "model.safetensors").stat().st_size
    assert graph.path.stat().st_size < 1.3 * size
    target = load_target("lambda-x86")
    build = Build(runtime="onnxruntime", recipe="int8-dynamic")
    made = compile_graph(
        graph,
        build,
        target.hardware,
        Examples(tiny.TEXTS),
        task="intent",
        provenance={},
        folder=tmp_path / "made",
    )
    assert (made.path / "model.onnx").stat().st_size < 0.6 * size


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("text", ["where is my order please", "où est 漫画 my order", "order " * 50, ""])
def test_a_long_text_loses_the_side_that_the_file_names(tmp_path, side, text):
    from tokenizers import Tokenizer

    from edgekd.compile.characters import describe_characters

    tiny.write_tokenizer(tmp_path)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    tokenizer.enable_truncation(8, direction=side)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    expected = tokenizer.encode(text).ids
    assert open_tokenizer(tmp_path / "tokenizer.json", 8)(text) == expected
    document = json.loads((tmp_path / "tokenizer.json").read_text())
    (tmp_path / "characters.txt").write_text(describe_characters(document))
    assert open_tokenizer(tmp_path / "tokenizer.json", 8)(text) == expected
