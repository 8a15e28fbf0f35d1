import json
from copy import deepcopy

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    AlbertConfig,
    AutoModelForSequenceClassification,
    BertConfig,
    DistilBertConfig,
    ElectraConfig,
    MPNetConfig,
    RobertaConfig,
)

from edgekd.config import Distillation, FeatureStage, NarrowModel, StaticModel, Training, TransformerModel
from edgekd.distill.cut import cut_layers
from edgekd.distill.distil import distil
from edgekd.distill.examples import Examples, Lesson, Session
from edgekd.distill.labels.fill import fill_store
from edgekd.distill.labels.store import LabelStore
from edgekd.distill.learners.classify import classify_as_taught
from edgekd.distill.pairs import hash_pairs
from edgekd.distill.reference import reference_outputs, torch_labeller
from edgekd.distill.softlabels import list_texts, open_soft_labels, save_texts
from edgekd.distill.static import FoldedStatic, StaticNetwork, start_from_teacher
from edgekd.distill.student import load_module, open_student
from edgekd.distill.teacher import HeadedEncoder, load_teacher, teacher_tokens
from edgekd.distill.training.tokens import open_tokenizer, tokenize
from edgekd.distill.weights import load_headed, save_headed
from edgekd.errors import ConfigError

SHAPE = {"num_hidden_layers": 4, "num_attention_heads": 2, "hidden_size": 32, "intermediate_size": 32}
COMMON = {"vocab_size": 300, "num_labels": 3}
ENCODERS = {
    "bert": (BertConfig(**SHAPE, **COMMON), "bert.encoder.layer"),
    "electra": (ElectraConfig(**SHAPE, **COMMON, embedding_size=16), "electra.encoder.layer"),
    "distilbert": (
        DistilBertConfig(n_layers=4, n_heads=2, dim=32, hidden_dim=32, **COMMON),
        "distilbert.transformer.layer",
    ),
    "roberta": (RobertaConfig(**SHAPE, **COMMON, pad_token_id=1), "roberta.encoder.layer"),
    "mpnet": (MPNetConfig(**SHAPE, **COMMON), "mpnet.encoder.layer"),
}
LAYERS = pytest.mark.parametrize("layers", [(0, -1), (0, 2, 3), (1,)])
IDS = torch.tensor([[5, 9, 20, 30], [7, 7, 8, 9]])


def make(config) -> HeadedEncoder:
    torch.manual_seed(0)
    return HeadedEncoder(AutoModelForSequenceClassification.from_config(deepcopy(config))).eval()


@LAYERS
@pytest.mark.parametrize("name", ENCODERS)
def test_cut_keeps_the_layers_asked_for(tmp_path, name, layers):
    config, prefix = ENCODERS[name]
    whole = {key: value.clone() for key, value in make(config).model.state_dict().items()}
    kept = np.array([0, 1, 5, 7, 8, 9, 20, 30, 299]) if name != "roberta" else np.arange(300)
    student = cut_layers(make(config), layers, kept).eval()
    state = student.model.state_dict()
    for new, old in enumerate(layers):
        own = {k: v for k, v in state.items() if k.startswith(f"{prefix}.{new}.")}
        assert len(own) > 8
        for key, value in own.items():
            assert torch.equal(value, whole[key.replace(f"{prefix}.{new}.", f"{prefix}.{old % 4}.")])
    assert not any(key.startswith(f"{prefix}.{len(layers)}.") for key in state)
    table = student.model.get_input_embeddings().weight
    assert torch.equal(table, make(config).model.get_input_embeddings().weight[kept])
    assert not [m for m in student.modules() if isinstance(m, torch.nn.Dropout) and m.p]

    places = {int(old): new for new, old in enumerate(kept)}
    ids = torch.tensor([[places[int(i)] for i in row] for row in IDS])
    save_headed(student.model, tmp_path)
    loaded = HeadedEncoder(load_headed(str(tmp_path))).eval()
    with torch.inference_mode():
        logits = student(ids)
        assert loaded(ids).numpy() == pytest.approx(logits.numpy(), abs=1e-6)
        padded = student(torch.nn.functional.pad(ids, (0, 3)), torch.tensor([[1] * 4 + [0] * 3] * 2))
    assert padded.numpy() == pytest.approx(logits.numpy(), abs=1e-6)


def test_cutting_nothing_changes_no_answer():
    config, _ = ENCODERS["bert"]
    with torch.inference_mode():
        before = make(config)(IDS)
        after = cut_layers(make(config), (0, 1, 2, 3), np.arange(300)).eval()(IDS)
    assert torch.equal(before, after)


@pytest.mark.parametrize("layers", [(0, 0), (0, -4), (4,), (-5,)])
def test_layers_that_are_not_there_are_refused(layers):
    with pytest.raises(ConfigError, match=r"must be different and within the teacher's 4$"):
        cut_layers(make(ENCODERS["bert"][0]), layers, np.arange(300))


def test_encoder_without_a_list_of_layers_is_refused():
    with pytest.raises(ConfigError, match="has no list of 4 layers to cut"):
        cut_layers(make(AlbertConfig(**SHAPE, **COMMON, embedding_size=16)), (0, 1), np.arange(300))


def test_padding_that_positions_count_from_must_stay():
    with pytest.raises(ConfigError, match="counts positions from its padding token"):
        cut_layers(make(ENCODERS["roberta"][0]), (0, 1), np.array([0, 2, 3, 4]))


def test_folded_static_answers_as_the_trained_one():
    torch.manual_seed(0)
    trained = StaticNetwork(50, 30, 16, 24, 5).eval()
    folded = FoldedStatic(trained).eval()
    for length in (1, 2, 7, 60):
        ids = torch.randint(0, 50, (4, length))
        with torch.inference_mode():
            expected = trained(ids)
            assert folded(ids).numpy() == pytest.approx(expected.numpy(), abs=1e-5)
            mask = torch.tensor([[1] * length + [0] * 3] * 4)
            padded = trained(torch.nn.functional.pad(ids, (0, 3), value=9), mask)
        assert padded.numpy() == pytest.approx(expected.numpy(), abs=1e-5)


def test_pairs_tell_the_order_of_words_and_not_what_follows():
    ids = torch.tensor([[4, 9, 2], [9, 4, 2], [4, 9, 7]])
    pairs = hash_pairs(ids, 1_000_003)
    assert pairs[0, 1] != pairs[1, 1]
    assert torch.equal(pairs[0, :2], pairs[2, :2])
    assert torch.equal(hash_pairs(ids[:, :1], 64), hash_pairs(ids, 64)[:, :1])
    assert int(hash_pairs(torch.randint(0, 30522, (9, 99)), 64).max()) < 64


@pytest.fixture(scope="module")
def soft_labels(task_data, teacher, tmp_path_factory):
    folder = tmp_path_factory.mktemp("labels")
    listed = list_texts(task_data, 1, 0)
    save_texts(listed, folder)
    store = LabelStore(folder / "labels", teacher.digest, 3)
    labeller = torch_labeller(load_teacher(teacher), threads=1)
    fill_store(store, listed.learn, lambda texts: teacher_tokens(teacher, list(texts)), labeller)
    learner = classify_as_taught(task_data.outputs, Distillation())
    learn = open_soft_labels(folder, task_data.split("train").classes, store, learner)
    rows = task_data.split("validation")
    logits = reference_outputs(load_teacher(teacher), teacher_tokens(teacher, rows.texts), threads=1)
    return learn, Examples(rows.texts, rows.classes, logits)


def test_soft_labels_are_the_train_rows_then_their_noisy_copies(task_data, teacher, soft_labels):
    learn, validation = soft_labels
    train = task_data.split("train")
    assert learn.texts[:120] == train.texts and learn.targets[:120].tolist() == train.classes.tolist()
    assert len(learn.texts) > 200 and set(learn.targets[120:].tolist()) == {-1}
    assert len(set(learn.texts[120:]) | set(train.texts)) == len(learn.texts) - 120 + len(set(train.texts))
    assert (validation.taught.argmax(1) == validation.targets).mean() > 0.9
    assert learn.taught.shape == (len(learn.texts), 3)
    rows = [*range(3), len(learn.texts) - 1]
    tokens = teacher_tokens(teacher, [learn.texts[i] for i in rows])
    expected = reference_outputs(load_teacher(teacher), tokens, threads=1)
    assert learn.taught[np.array(rows)] == pytest.approx(expected, abs=0.01)


def test_evidence_of_a_text_is_the_row_that_it_is_from(task_data):
    learn, _ = list_texts(task_data, 2, 0)
    train = task_data.split("train")
    assert learn.evidence[:120] == [(name,) for name in train.ids] and set(learn.tags[:120]) == {("train",)}
    assert set(learn.tags[120:]) == {("augmented",)}
    by_name = dict(zip(train.ids, train.texts, strict=True))
    parents = [by_name[name] for (name,) in learn.evidence[120:]]
    alike = [len({*a.split()} & {*b.split()}) for a, b in zip(parents, learn.texts[120:], strict=True)]
    assert sum(shared > 0 for shared in alike) > 0.9 * len(alike)  # a typo in the only word leaves none
    assert len(learn.texts) == len(learn.evidence) == len(learn.tags)


COMMON_PARTS = {"vocabulary": 3500, "training": Training(epochs=3, learning_rate=3e-3, batch=32)}
NARROW = NarrowModel(
    kind="narrow", name="n", layers=2, width=24, heads=4, feed_forward=48,
    **{**COMMON_PARTS, "training": Training(epochs=6, learning_rate=5e-3, batch=16)},
)  # fmt: skip
MODELS = {
    "static": StaticModel(kind="static", name="s", dimension=48, hidden=32, max_tokens=32, **COMMON_PARTS),
    "transformer": TransformerModel(kind="transformer", name="t", layers=(-1,), **COMMON_PARTS),
    "narrow": NARROW,
}


def teach(kind, teacher, soft_labels, folder, seed=0):
    learn, validation = soft_labels
    folder.mkdir()
    features = FeatureStage(epochs=2) if kind == "narrow" else None
    lesson = Lesson(classify_as_taught(teacher.outputs, Distillation()), learn, validation)
    distil(MODELS[kind], teacher, lesson, folder, Session("intent", seed, 1), features=features)
    return open_student(folder, "digest")


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.long
def test_student_learns_the_teacher_and_is_loaded_as_it_was(tmp_path, task_data, teacher, soft_labels, kind):
    student = teach(kind, teacher, soft_labels, tmp_path / "one")
    assert (student.kind == "static") == (kind == "static")
    assert student.outputs == ("advice", "order", "return")
    test = task_data.split("validation")
    tokens = tokenize(open_tokenizer(student.path / "tokenizer.json", student.max_tokens), test.texts)
    logits = reference_outputs(load_module(student), tokens, threads=1)
    assert (logits.argmax(1) == test.classes).mean() > 0.9
    vocabulary = json.loads((student.path / "tokenizer.json").read_text("utf-8"))["model"]["vocab"]
    assert len(vocabulary) == 3500 > max(vocabulary.values()) == 3499
    first = open_tokenizer(student.path / "tokenizer.json", 8).encode("where is my parcel")
    assert (first.tokens[0] == "[CLS]") == (kind != "static")

    again = teach(kind, teacher, soft_labels, tmp_path / "two")
    names = {p.relative_to(student.path) for p in student.path.rglob("*") if p.is_file() and not is_log(p)}
    assert {"model.safetensors", "student.json", "tokenizer.json"} <= {str(name) for name in names}
    for name in names:
        assert (student.path / name).read_bytes() == (again.path / name).read_bytes(), name
    other = teach(kind, teacher, soft_labels, tmp_path / "three", seed=1)
    one, three = (load_file(s.path / "model.safetensors") for s in (student, other))
    assert any(not torch.equal(one[key], three[key]) for key in one)


def is_log(path) -> bool:
    return bool({"logs", "_resume"} & set(path.parts))


def test_static_student_starts_from_the_teacher_s_vectors(teacher):
    """Tokens whose vectors lie close in the teacher start close to one another; pairs add nothing yet."""
    kept = np.arange(1000, 1400)
    student = StaticNetwork(400, 32, 64, 8, 3)
    start_from_teacher(student, teacher, kept)
    vectors = load_teacher(teacher).model.get_input_embeddings().weight.detach()[kept]
    vectors = vectors - vectors.mean(dim=0)
    started = student.table.weight.detach()
    there, here = (torch.nn.functional.normalize(x, dim=1) for x in (vectors, started))
    cosines = torch.stack([(there @ there.T).flatten(), (here @ here.T).flatten()])
    assert float(torch.corrcoef(cosines)[0, 1]) > 0.99
    assert not student.pairs.weight.any()
    gains = started.norm(dim=1) / vectors.norm(dim=1)
    assert gains.argsort().tolist() == list(range(400))  # frequent tokens weigh least
