"""Encoders of five families go the whole road: narrow, cut, features, adapters, export, an int8 build."""

import shutil
from copy import deepcopy

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    AlbertConfig,
    AutoModelForSequenceClassification,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    FNetConfig,
    FunnelConfig,
    GPT2Config,
    ModernBertConfig,
    MPNetConfig,
    RobertaConfig,
    XLMConfig,
)

from edgekd.config import Distillation, FeatureStage, Lora, NarrowModel, Training, TransformerModel
from edgekd.distill.cut import cut_layers
from edgekd.distill.distil import distil
from edgekd.distill.examples import Examples, Lesson, Session
from edgekd.distill.fitting import check_padding
from edgekd.distill.learners.classify import classify_as_taught
from edgekd.distill.lora import add_adapters, merge_adapters
from edgekd.distill.narrow import make_narrow
from edgekd.distill.places import count_places
from edgekd.distill.reference import reference_outputs
from edgekd.distill.student import load_module, open_student, student_tokens
from edgekd.distill.teacher import HeadedEncoder, load_teacher, teacher_tokens
from edgekd.distill.training.inner import InnerStudent
from edgekd.distill.training.tokens import join_ids
from edgekd.distill.weights import load_headed, quiet, save_headed
from edgekd.errors import ConfigError

SHAPE = {"num_hidden_layers": 3, "num_attention_heads": 2, "hidden_size": 32, "intermediate_size": 48}
COMMON = {"vocab_size": 170, "num_labels": 3, "pad_token_id": 1, "max_position_embeddings": 48}
DISENTANGLED = {
    "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 8,
    "max_relative_positions": 16, "norm_rel_ebd": "layer_norm", "share_att_key": True,
    "position_biased_input": False,
}  # fmt: skip
FAMILIES = {
    "distilbert": DistilBertConfig(n_layers=3, n_heads=2, dim=32, hidden_dim=48, **COMMON),
    "roberta": RobertaConfig(**SHAPE, **COMMON),
    "electra": ElectraConfig(**SHAPE, **COMMON, embedding_size=16),
    "mpnet": MPNetConfig(**SHAPE, **COMMON),
    "deberta-v2": DebertaV2Config(**SHAPE, **COMMON, **DISENTANGLED),
}
NAMES = pytest.mark.parametrize("name", FAMILIES)
IDS = torch.tensor([[0, 9, 20, 30, 2], [0, 7, 8, 9, 2]])
KEPT = np.arange(170)
TRAINING = Training(epochs=2, learning_rate=3e-3, batch=32)
NARROW = NarrowModel(
    kind="narrow", name="n", layers=2, width=24, heads=4, feed_forward=40, vocabulary=256, max_tokens=32,
    training=Training(epochs=3, learning_rate=5e-3, batch=32),
)  # fmt: skip
CUT = TransformerModel(
    kind="transformer", name="c", layers=(0, -1), vocabulary=256, max_tokens=32, training=TRAINING
)


def make(config) -> HeadedEncoder:
    torch.manual_seed(0)
    with quiet():  # torch.jit.script, as DeBERTa's file is imported
        return HeadedEncoder(AutoModelForSequenceClassification.from_config(deepcopy(config))).eval()


@NAMES
def test_a_narrow_student_has_every_size_that_it_was_given(name, tmp_path):
    student = make_narrow(make(FAMILIES[name]), NARROW, KEPT).eval()
    config, state = student.model.config, student.model.state_dict()
    assert (config.num_hidden_layers, config.hidden_size, config.num_attention_heads) == (2, 24, 4)
    widths = {size for key, value in state.items() if ".layer." in key for size in value.shape}
    assert {24, 40} <= widths and not {32, 48} & widths
    save_headed(student.model, tmp_path)
    loaded = HeadedEncoder(load_headed(str(tmp_path))).eval()
    with torch.inference_mode():
        assert loaded(IDS).numpy() == pytest.approx(student(IDS).numpy(), abs=1e-6)


@NAMES
def test_features_of_a_narrow_student_are_matched(name):
    teacher = make(FAMILIES[name]).model
    student = make_narrow(HeadedEncoder(make(FAMILIES[name]).model), NARROW, KEPT)
    inner = InnerStudent(student, student.model, teacher, KEPT, None)
    outputs, terms = inner(IDS, torch.ones_like(IDS), matches=True)
    assert outputs.shape == (2, 3) and (terms.hidden > 0).all() and (terms.relation > 0).all()
    (terms.hidden + terms.relation).sum().backward()
    assert student.model.get_input_embeddings().weight.grad is not None


@NAMES
def test_adapters_are_merged(name):
    model = make(FAMILIES[name]).model
    handle = add_adapters(model, Lora(rank=2))
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "lora_B" in key:
                parameter.normal_(0, 0.1)
        adapted = model(IDS).logits
        merged = merge_adapters(handle).eval()(IDS).logits
    torch.testing.assert_close(merged, adapted, atol=1e-5, rtol=0)


def test_a_decoder_s_layers_are_counted_anew():
    config = GPT2Config(n_layer=3, n_head=2, n_embd=32, vocab_size=170, num_labels=3, pad_token_id=0)
    student = cut_layers(make(config), (0, -1), KEPT)
    add_adapters(student.model, Lora(rank=2))
    assert [layer.attn.layer_idx for layer in student.model.transformer.h] == [0, 1]
    assert student(IDS[:, 1:]).shape == (2, 3)


def test_layers_that_differ_keep_what_the_configuration_says_of_them(tmp_path):
    """Of ModernBERT's layers each third one attends to all tokens, the others to those near by."""
    shape = {**SHAPE, "num_hidden_layers": 4}
    config = ModernBertConfig(**shape, **COMMON, local_attention=4, cls_token_id=0, sep_token_id=2)
    student = cut_layers(make(config), (0, 2, 3), KEPT).eval()
    assert student.model.config.layer_types == ["full_attention", "sliding_attention", "full_attention"]
    save_headed(student.model, tmp_path)
    ids = torch.arange(3, 43)[None]
    with torch.inference_mode():
        expected = student(ids)
        assert HeadedEncoder(load_headed(str(tmp_path))).eval()(ids).numpy() == pytest.approx(
            expected.numpy()
        )
    assert make_narrow(make(config), NARROW, KEPT).model.config.layer_types == config.layer_types[:2]
    with pytest.raises(ConfigError, match="not all are alike; keep the first one"):
        cut_layers(make(config), (1, 3), KEPT)  # the first one alone has no norm before it


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (XLMConfig(n_layers=3, n_heads=2, emb_dim=32, **COMMON), "feed_forward"),
        (AlbertConfig(**SHAPE, **COMMON, embedding_size=16), "has no list of 2 layers"),
        (
            FunnelConfig(block_sizes=[1, 1], d_model=32, n_head=2, d_head=16, d_inner=48, vocab_size=170),
            "layers",
        ),
    ],
)
def test_a_family_without_such_sizes_is_refused(config, words):
    with pytest.raises(ConfigError, match=words) as caught:
        make_narrow(make(config), NARROW, KEPT)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("config", "places"),
    [
        (FAMILIES["distilbert"], 48),
        (FAMILIES["roberta"], 46),
        (RobertaConfig(**SHAPE, **{**COMMON, "pad_token_id": 3}), 44),
        (FAMILIES["mpnet"], 46),
        (GPT2Config(n_layer=1, n_head=2, n_embd=32, n_positions=24, vocab_size=170), 24),
        (ModernBertConfig(**SHAPE, **COMMON, cls_token_id=0, sep_token_id=2), 48),
    ],
)
def test_places_are_counted_as_each_family_counts_them(config, places):
    assert count_places(make(config).model) == places


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (FNetConfig(**SHAPE, **COMMON), "does not read the mask everywhere"),
        (
            GPT2Config(n_layer=1, n_head=2, n_embd=32, vocab_size=170, pad_token_id=1),
            "does not read the mask",
        ),
    ],
)
def test_what_cannot_be_trained_in_batches_is_refused(config, words):
    with pytest.raises(ConfigError, match=words):
        check_padding(make(config), join_ids([[0, 9, 20, 30, 40, 50, 2]]), "teacher t")
    check_padding(make(FAMILIES["roberta"]), join_ids([[0, 9, 20, 30, 40, 50, 2]]), "teacher t")


@pytest.fixture(scope="module")
def teach(task_data, mpnet_folder, tune_teacher, tmp_path_factory):
    """Fine-tune a teacher of a family; returns it and a lesson of what it says."""

    def tune(name):
        folder = tmp_path_factory.mktemp(name)
        shutil.copytree(mpnet_folder, folder / "start")
        with quiet():
            save_headed(make(FAMILIES[name]).model, folder / "start")
        teacher = tune_teacher(
            task_data, folder / "start", folder, training=Training(epochs=4, learning_rate=3e-3, batch=16)
        )
        return teacher, learn_from(teacher, task_data)

    return tune


def learn_from(teacher, task_data):
    parts = []
    for split in ("train", "validation"):
        rows = task_data.split(split)
        says = reference_outputs(load_teacher(teacher), teacher_tokens(teacher, rows.texts), threads=1)
        parts.append(Examples(rows.texts, rows.classes, says))
    return Lesson(classify_as_taught(teacher.outputs, Distillation()), *parts)


@pytest.mark.long
@NAMES
def test_the_whole_road(name, teach, task_data, tmp_path):
    from edgekd.compile import compile_graph
    from edgekd.compile.compile import Examples as Texts
    from edgekd.config import Build, Hardware
    from edgekd.export.onnx import export_graph
    from edgekd.serving import load
    from edgekd.serving.heads import Head

    teacher, lesson = teach(name)
    texts = task_data.split("validation").texts
    models = {
        "adapted": (CUT.model_copy(update={"lora": Lora(rank=4)}), None),
        "narrow": (NARROW, FeatureStage(epochs=1)),
    }
    for kind, (model, features) in models.items():
        folder = tmp_path / kind
        folder.mkdir()
        distil(model, teacher, lesson, folder, Session("intent", 0, 1), features=features)
        student = open_student(folder, "digest")
        assert not [key for key in load_file(folder / "model.safetensors") if "lora" in key]
        expected = reference_outputs(load_module(student), student_tokens(student, texts), threads=1)
    graph = export_graph(
        load_module(student), folder / "tokenizer.json", tmp_path / "model.onnx",
        student="s", kind="transformer", head=Head("classify", teacher.outputs), max_tokens=32,
    )  # fmt: skip
    for recipe, tolerance in (("fp32", 1e-4), ("int8-dynamic", 1.0)):
        made = compile_graph(
            graph, Build(runtime="onnxruntime", recipe=recipe), Hardware(arch="x86_64", memory_mib=1),
            Texts(texts), task="intent", provenance={}, folder=tmp_path / recipe,
        )  # fmt: skip
        assert np.abs(load(made.path).outputs(texts) - expected).max() < tolerance
