"""ONNX files of whatever exporter: read as they answer, or refused in one line."""

import json

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import tiny_models as tiny
from onnx import TensorProto, helper, numpy_helper

from edgekd.compile import compile_graph
from edgekd.compile.compile import Examples
from edgekd.config import Build, load_target
from edgekd.errors import ConfigError
from edgekd.export.foreign import adopt_model
from edgekd.export.half import widen_half
from edgekd.export.onnx_file import normalize_model
from edgekd.serving import load
from edgekd.serving.heads import Head


def adopt(folder, texts=tiny.TEXTS):
    (folder / "out").mkdir(exist_ok=True)
    return adopt_model(folder / "model.onnx", folder / "out", texts)


def refuse(folder):
    with pytest.raises(ConfigError) as caught:
        adopt(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def write_config(folder, **config):
    (folder / "config.json").write_text(json.dumps(config))


def answer(path, ids):
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    given = {"input_ids": np.array([ids])}
    given |= {"attention_mask": np.ones_like(given["input_ids"])} if len(session.get_inputs()) > 1 else {}
    return dict(zip([one.name for one in session.get_outputs()], session.run(None, given), strict=True))


IDS = [2, 40, 41, 42, 3]


@pytest.mark.parametrize("outputs", [("scores", "logits"), ("logits", "other"), ("a", "b", "c")])
def test_the_output_with_a_column_for_each_label_answers(tmp_path, outputs):
    tiny.write_onnx(tmp_path, outputs=outputs)
    tiny.write_tokenizer(tmp_path, alone=True)
    write_config(tmp_path, id2label=dict(enumerate("xyz")))
    graph = adopt(tmp_path)
    assert graph.head.labels == ("x", "y", "z")
    wanted = answer(tmp_path / "model.onnx", IDS)[outputs[0]]
    assert np.abs(answer(graph.path, IDS)["logits"] - wanted).max() < 1e-6
    assert len(onnx.load(graph.path).graph.initializer) < 5  # the other heads are gone
    write_config(tmp_path, id2label=dict(enumerate("vwxyztsr")))
    assert "expected one [batch, 8]" in refuse(tmp_path)


def test_which_of_two_outputs_answers_is_not_guessed(tmp_path):
    tiny.write_onnx(tmp_path, outputs=("first", "second"))
    tiny.write_tokenizer(tmp_path, alone=True)
    assert "gives first [batch, 3], second [batch, 4]; expected one output" in refuse(tmp_path)


def test_an_encoder_is_not_taken_for_a_classifier(tmp_path):
    tiny.write_onnx(tmp_path, columns=16, outputs=("pooler_output",))
    tiny.write_tokenizer(tmp_path, alone=True)
    write_config(tmp_path, architectures=["BertModel"], model_type="bert")
    assert "its architecture is BertModel" in refuse(tmp_path)


@pytest.mark.parametrize(
    ("end", "said"), [("Softmax", "is a softmax already"), ("Sigmoid", "is a sigmoid already")]
)
def test_probabilities_are_not_taken_for_logits(tmp_path, end, said):
    tiny.write_onnx(tmp_path, end=end)
    tiny.write_tokenizer(tmp_path, alone=True)
    assert said in refuse(tmp_path)


def test_probabilities_are_found_by_their_sums(tmp_path):
    tiny.write_onnx(tmp_path, end="Exp")
    tiny.write_tokenizer(tmp_path, alone=True)
    model = onnx.load(tmp_path / "model.onnx")
    model.graph.node[-1].output[0] = "powers"
    model.graph.node.append(helper.make_node("ReduceL1", ["powers"], ["sum"], axes=[1]))
    model.graph.node.append(helper.make_node("Div", ["powers", "sum"], ["logits"]))
    onnx.save(model, tmp_path / "model.onnx")
    assert "is a softmax already" in refuse(tmp_path)


def test_a_label_that_is_chosen_already_is_no_score(tmp_path):
    model = tiny.write_onnx(tmp_path, outputs=("raw",))
    tiny.write_tokenizer(tmp_path, alone=True)
    model.graph.node.append(helper.make_node("ArgMax", ["raw"], ["label"], axis=1))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("label", TensorProto.INT64, ["batch", 1]))
    onnx.save(model, tmp_path / "model.onnx")
    assert "gives label [batch, 1]; expected logits" in refuse(tmp_path)


def test_probabilities_beside_logits_are_passed_over(tmp_path):
    tiny.write_onnx(tmp_path, outputs=("raw",))
    tiny.write_tokenizer(tmp_path, alone=True)
    model = onnx.load(tmp_path / "model.onnx")
    model.graph.node.append(helper.make_node("Softmax", ["raw"], ["shares"]))
    model.graph.output.append(helper.make_tensor_value_info("shares", TensorProto.FLOAT, ["batch", 3]))
    onnx.save(model, tmp_path / "model.onnx")
    assert adopt(tmp_path).head.labels == ("LABEL_0", "LABEL_1", "LABEL_2")


@pytest.mark.parametrize("keeps_outputs", [False, True])
def test_half_precision_is_read_as_single(tmp_path, keeps_outputs):
    half = tiny.make_half(tiny.write_onnx(tmp_path, columns=1))
    tiny.write_tokenizer(tmp_path, alone=True)
    if keeps_outputs:
        half.graph.node[-1].output[0] = "small"
        half.graph.node.append(helper.make_node("Cast", ["small"], ["logits"], to=TensorProto.FLOAT))
        half.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT
    onnx.save(half, tmp_path / "model.onnx")
    graph = adopt(tmp_path)
    assert graph.head == Head("score")
    made = onnx.load(graph.path)
    assert {one.data_type for one in made.graph.initializer} <= {TensorProto.FLOAT, TensorProto.INT64}
    assert (
        abs(answer(graph.path, IDS)["logits"] - answer(tmp_path / "model.onnx", IDS)["logits"]).max() < 0.02
    )


def test_casts_of_half_precision_leave_weights_to_products(tmp_path):
    model = tiny.write_onnx(tmp_path)
    half = tiny.make_half(model)
    half.graph.node[-1].input[1] = "wide"
    half.graph.node.insert(0, helper.make_node("Cast", ["head_logits"], ["wide"], to=TensorProto.FLOAT))
    product = next(node for node in widen_half(half).graph.node if node.op_type == "MatMul")
    assert product.input[1] == "head_logits"
    assert widen_half(model) is None


def compile_int8(graph, folder):
    hardware = load_target("lambda-x86").hardware
    build = Build(runtime="onnxruntime", recipe="int8-dynamic")
    made = compile_graph(
        graph, build, hardware, Examples(tiny.TEXTS), task="intent", provenance={}, folder=folder
    )
    return onnx.load(made.path / "model.onnx"), load(made.path)


@pytest.mark.parametrize("name", ["", "same"])
def test_names_of_nodes_do_not_matter(tmp_path, name):
    model = tiny.write_onnx(tmp_path)
    tiny.write_tokenizer(tmp_path, alone=True)
    for node in model.graph.node:
        node.name = name
    onnx.save(model, tmp_path / "model.onnx")
    graph = adopt(tmp_path)
    names = [node.name for node in onnx.load(graph.path).graph.node]
    assert "" not in names and len(set(names)) == len(names)
    made, opened = compile_int8(graph, tmp_path / "made")
    assert "MatMulIntegerToFloat" in {node.op_type for node in made.graph.node}
    assert opened("where").label in opened.labels


def test_names_that_are_given_here_are_free(tmp_path):
    """A file may call its inner values as what is written here."""
    model = tiny.write_onnx(tmp_path, outputs=("scores",))
    tiny.write_tokenizer(tmp_path, alone=True)
    for node in model.graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                names[place] = {"vectors": "logits", "numbers": "input_ids_shape"}.get(name, name)
    onnx.save(model, tmp_path / "model.onnx")
    graph = adopt(tmp_path)
    wanted = answer(tmp_path / "model.onnx", IDS)["scores"]
    assert np.abs(answer(graph.path, IDS)["logits"] - wanted).max() < 1e-6


@pytest.mark.parametrize("opset", [11, 12, 13, 17])
def test_older_operator_sets_reach_every_recipe(tmp_path, opset):
    tiny.write_onnx(tmp_path, opset=opset)
    tiny.write_tokenizer(tmp_path, alone=True)
    graph = adopt(tmp_path)
    assert onnx.load(graph.path).opset_import[0].version >= 18  # int4-tables writes operators of 18


def test_weights_behind_links_and_nodes_are_read(tmp_path):
    folder, blobs = tmp_path / "snapshot", tmp_path / "blobs"
    model = tiny.write_onnx(folder)
    tiny.write_tokenizer(folder, alone=True)
    head = next(one for one in model.graph.initializer if one.name == "head_logits")
    node = helper.make_node(
        "Constant", [], ["head_logits"], value=numpy_helper.from_array(numpy_helper.to_array(head))
    )
    alias = helper.make_node("Identity", ["table"], ["words"])
    model.graph.initializer.remove(head)
    model.graph.node.insert(0, node)
    model.graph.node.insert(0, alias)
    model.graph.node[2].input[0] = "words"
    expected = answer_of(model)
    (folder / "model.onnx").unlink()
    onnx.save(
        model, folder / "model.onnx", save_as_external_data=True, location="model.onnx_data", size_threshold=0
    )
    blobs.mkdir()
    for name in ("model.onnx", "model.onnx_data"):
        (folder / name).rename(blobs / name.replace(".", "-"))
        (folder / name).symlink_to(blobs / name.replace(".", "-"))
    graph = adopt(folder)
    assert np.abs(answer(graph.path, IDS)["logits"] - expected).max() < 1e-6
    weights = {one.name for one in onnx.load(graph.path).graph.initializer}
    assert {"table", "head_logits"} <= weights
    (blobs / "model-onnx_data").write_bytes(b"short")
    assert "copy it again" in refuse(folder)
    (blobs / "model-onnx_data").unlink()
    assert "cannot be read" in refuse(folder)
    outside = onnx.load(folder / "model.onnx", load_external_data=False)
    for tensor in outside.graph.initializer:
        for entry in tensor.external_data:
            entry.value = "../blobs/secret" if entry.key == "location" else entry.value
    (folder / "model.onnx").unlink()
    onnx.save(outside, folder / "model.onnx")
    assert "outside of its folder" in refuse(folder)


def answer_of(model):
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    ids = np.array([IDS])
    return session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0]


def test_equal_weights_are_kept_once(tmp_path):
    model = tiny.write_onnx(tmp_path, rows=200)
    table = next(one for one in model.graph.initializer if one.name == "table")
    again = numpy_helper.from_array(numpy_helper.to_array(table), "table_again")
    model.graph.initializer.append(again)
    model.graph.node.insert(1, helper.make_node("Gather", ["table_again", "input_ids"], ["twice"]))
    model.graph.node[0].output[0] = "once"
    model.graph.node.insert(2, helper.make_node("Add", ["once", "twice"], ["vectors"]))
    found = normalize_model(model).graph
    assert "table_again" not in {one.name for one in found.initializer}


def test_a_tokenizer_may_lie_around_a_folder_called_onnx(tmp_path):
    tiny.write_onnx(tmp_path / "onnx")
    tiny.write_tokenizer(tmp_path, model_max_length=20)
    write_config(tmp_path, id2label=dict(enumerate("abc")), model_type="bert")
    graph = adopt(tmp_path / "onnx")
    assert (graph.head.labels, graph.max_tokens) == (("a", "b", "c"), 20)
    tiny.write_tokenizer(tmp_path / "onnx", model_max_length=20)  # the labels' names lie around it still
    assert adopt(tmp_path / "onnx").head.labels == ("a", "b", "c")


def test_a_file_that_no_runtime_opens_is_one_line(tmp_path):
    model = tiny.write_onnx(tmp_path)
    tiny.write_tokenizer(tmp_path, alone=True)
    model.graph.node[-1].domain = "of.nobody"
    model.opset_import.append(helper.make_opsetid("of.nobody", 1))
    onnx.save(model, tmp_path / "model.onnx")
    assert "ONNX Runtime cannot open it" in refuse(tmp_path)


def test_a_table_with_fewer_rows_than_tokens_is_refused(tmp_path):
    tiny.write_onnx(tmp_path, rows=len(tiny.VOCABULARY) - 1)
    tiny.write_tokenizer(tmp_path, alone=True)
    assert "no row for: 'advice'" in refuse(tmp_path)
