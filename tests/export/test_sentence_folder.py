"""Folders of sentence-transformers: answered as that library answers, or refused in one line."""

import json

import onnx
import pytest
import tiny_models as tiny
from onnx import TensorProto, helper
from tiny_pairs import REQUESTS, write_pair_file

from edgekd.errors import ConfigError
from edgekd.export.foreign import adopt_model
from edgekd.serving.heads import Head

KIND = "sentence_transformers.base.modules"
TRANSFORMER = {"idx": 0, "name": "0", "path": "", "type": f"{KIND}.transformer.Transformer"}
POOLING = {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}
DENSE = {"idx": 2, "name": "2", "path": "2_Dense", "type": f"{KIND}.dense.Dense"}
CONFIG = {"architectures": ["BertForSequenceClassification"], "id2label": {"0": "a", "1": "b", "2": "c"}}


def write(folder, inside="", **files):
    """Write a classifier as an ONNX file, with its tokenizer and such files of JSON beside it."""
    tiny.write_onnx(folder / inside)
    tiny.write_tokenizer(folder)
    for name, content in {"config": CONFIG, **files}.items():
        (folder / f"{name}.json").write_text(content if isinstance(content, str) else json.dumps(content))
    (folder / "out").mkdir()
    return folder / inside / "model.onnx"


def refuse(path, asked=""):
    with pytest.raises(ConfigError) as caught:
        adopt_model(path, path.parent, tiny.TEXTS, asked)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("inside", ["", "onnx"])
def test_modules_behind_the_model_are_not_left_out(tmp_path, inside):
    path = write(tmp_path, inside, modules=[TRANSFORMER, POOLING, DENSE])
    assert "modules.json lists Transformer, Pooling, Dense, and only" in refuse(path)
    if not inside:
        assert "modules.json lists Transformer, Pooling, Dense, and only" in refuse(tmp_path)


def test_one_module_is_the_model(tmp_path):
    files = {"config_sentence_transformers": {"prompts": {"query": ""}, "default_prompt_name": None}}
    path = write(tmp_path, modules=[TRANSFORMER], **files)
    assert adopt_model(path, tmp_path / "out", tiny.TEXTS).head.labels == ("a", "b", "c")


def test_a_prompt_before_texts_is_not_left_out(tmp_path):
    around = {"prompts": {"query": "query: ", "passage": ""}, "default_prompt_name": "query"}
    path = write(tmp_path, config_sentence_transformers=around)
    assert "puts the prompt 'query: ' before every text" in refuse(path)


@pytest.mark.parametrize(
    "files",
    [
        {"config": CONFIG | {"sentence_transformers": {"activation_fn": "torch.nn.Sigmoid"}}},
        {"config": CONFIG | {"sbert_ce_default_activation_function": "torch.nn.Identity"}},
        {"config_sentence_transformers": {"model_type": "CrossEncoder"}},
    ],
)
def test_a_model_of_pairs_is_not_asked_single_texts(tmp_path, files):
    assert "reads pairs of texts; give --task rerank" in refuse(write(tmp_path, **files))


def test_a_cross_encoder_puts_candidates_in_order(tmp_path):
    path = write_pair_file(tmp_path)
    (tmp_path / "config_sentence_transformers.json").write_text(json.dumps({"model_type": "CrossEncoder"}))
    assert "give --task rerank" in refuse(path)
    (tmp_path / "out").mkdir()
    assert adopt_model(path, tmp_path / "out", REQUESTS, "rank").head.name == "rank"


def test_the_limit_that_the_library_sets_holds(tmp_path):
    path = write(tmp_path, sentence_bert_config={"max_seq_length": 9, "do_lower_case": True})
    assert adopt_model(path, tmp_path / "out", tiny.TEXTS).max_tokens == 9


def test_lower_case_is_not_left_out(tmp_path):
    path = write(tmp_path, sentence_bert_config={"do_lower_case": True})
    tiny.change_json(tmp_path / "tokenizer_config.json", do_lower_case=False)
    assert "asks for texts in lower case" in refuse(path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("modules", "[", "modules.json: not readable as JSON"),
        ("modules", {"0": "Transformer"}, "modules.json: expected a JSON list, got dict"),
        (
            "sentence_bert_config",
            {"max_seq_length": True},
            "max_seq_length in sentence_bert_config.json is True",
        ),
        ("sentence_bert_config", {"max_seq_length": 0}, "is 0; expected 1 or more"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(tmp_path, name, content, said):
    assert said in refuse(write(tmp_path, **{name: content}))


@pytest.mark.parametrize("name", ["sentence_embedding", "pooler_output"])
def test_a_vector_of_the_text_is_not_taken_for_labels(tmp_path, name):
    tiny.write_onnx(tmp_path, columns=16, outputs=(name,))
    tiny.write_tokenizer(tmp_path, alone=True)
    assert f"{name} [batch, 16] is a vector of the text" in refuse(tmp_path / "model.onnx")


def test_vectors_of_length_one_are_no_logits(tmp_path):
    model = tiny.write_onnx(tmp_path, columns=16, outputs=("before",))
    model.graph.node.append(helper.make_node("LpNormalization", ["before"], ["output_0"], axis=1))
    model.graph.output[0].name = "output_0"
    onnx.save(model, tmp_path / "model.onnx")
    tiny.write_tokenizer(tmp_path, alone=True)
    assert "output_0 [batch, 16] is a vector of the text" in refuse(tmp_path / "model.onnx")


def test_a_vector_beside_logits_is_passed_over(tmp_path):
    model = tiny.write_onnx(tmp_path, outputs=("scores",))
    model.graph.node.append(helper.make_node("Identity", ["mean"], ["sentence_embedding"]))
    told = helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, ["batch", 16])
    model.graph.output.append(told)
    onnx.save(model, tmp_path / "model.onnx")
    tiny.write_tokenizer(tmp_path, alone=True)
    (tmp_path / "out").mkdir()
    graph = adopt_model(tmp_path / "model.onnx", tmp_path / "out", tiny.TEXTS)
    assert graph.head == Head("classify", ("LABEL_0", "LABEL_1", "LABEL_2"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("onnx/model_O2.onnx", "name the .onnx file itself"),
        ("openvino_model.xml", "OpenVINO's form is not read"),
    ],
)
def test_a_folder_of_another_form_says_what_it_holds(tmp_path, name, said):
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "onnx").mkdir()
    (tmp_path / name).write_bytes(b"")
    assert f"holds {name} and no safetensors; {said}" in refuse(tmp_path)
