"""A linear model of tokens and pairs beside a network: fitted, kept, exported, served with it."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from pydantic import ValidationError

from edgekd.compile.rows import share_embeddings, share_rows
from edgekd.config import Distillation, Training, TransformerModel
from edgekd.config.project import Teacher as TeacherSetting
from edgekd.distill.distil import distil
from edgekd.distill.eager import open_eager
from edgekd.distill.examples import Examples, Lesson, Session
from edgekd.distill.lean import LeanEncoder, make_lean
from edgekd.distill.learners.classify import classify_as_taught
from edgekd.distill.pairs import hash_pairs
from edgekd.distill.student import load_module, open_student
from edgekd.distill.teacher import load_teacher, load_whole, teacher_tokens
from edgekd.distill.training.tokens import Tokens
from edgekd.distill.wide import Wide, fit_wide, widen
from edgekd.export.onnx import export_onnx

TOKENS, PAIRS, LABELS = 50, 97, 3
# The first two classes have the same tokens in another order; id 1 begins every text.
ROWS = [[1, 5, 6, 7], [1, 7, 6, 5], [1, 8, 9, 0, 4]]


class Silent(torch.nn.Module):
    """A network that says nothing."""

    def forward(self, ids, mask=None):
        return torch.zeros(len(ids), LABELS)


def make_tokens(rows):
    starts = np.r_[0, np.cumsum([len(row) for row in rows])]
    return Tokens(np.concatenate(rows).astype(np.int32), starts)


@pytest.fixture
def wide(tmp_path):
    classes = np.array([0, 1, 2] * 8 + [-1])
    fit_wide(make_tokens([*ROWS * 8, [1, 2]]), classes, LABELS, (TOKENS, PAIRS), tmp_path)
    return widen(Silent(), tmp_path).eval()


def test_order_of_tokens_is_learnt_and_its_sums_are_the_regressions(wide):
    with torch.inference_mode():
        for place, row in enumerate(ROWS):
            ids = torch.tensor([row])
            logits = wide(ids)[0]
            assert int(logits.argmax()) == place
            table = wide.table.weight
            real = [(token, int(pair)) for token, pair in zip(row, hash_pairs(ids, PAIRS)[0], strict=True)]
            expected = sum(table[token] + table[TOKENS + pair] for token, pair in real if token)
            assert logits.numpy() == pytest.approx(expected.numpy(), abs=1e-6)


def test_padding_counts_for_nothing_with_a_mask_or_without(wide):
    with torch.inference_mode():
        alone = wide(torch.tensor([ROWS[0]]))
        padded = torch.tensor([[*ROWS[0], 0, 0, 0]])
        mask = torch.tensor([[1, 1, 1, 1, 0, 0, 0]])
        for found in (wide(padded), wide(padded, mask)):
            assert found.numpy() == pytest.approx(alone.numpy(), abs=1e-6)


def test_two_labels_and_weights_of_rows(tmp_path):
    rows, classes = [[1, 5], [1, 5], [1, 6]], np.array([0, 1, 1])
    for heavy, expected in ((0, 0), (1, 1)):
        weights = np.ones(3, np.float32)
        weights[heavy] = 50
        fit_wide(make_tokens(rows), classes, 2, (TOKENS, PAIRS), tmp_path, weights)
        with torch.inference_mode():
            found = widen(lambda ids, mask: torch.zeros(len(ids), 2), tmp_path)(torch.tensor([[1, 5]]))
        assert found.shape == (1, 2)
        assert int(found.argmax()) == expected


def test_a_folder_without_one_gives_the_network_itself(tmp_path):
    network = Silent()
    assert widen(network, tmp_path) is network


@pytest.fixture(scope="module")
def teacher(task_data, teacher_folder, tune_teacher, tmp_path_factory):
    training = Training(epochs=1, learning_rate=1e-3, batch=16)
    folder = tmp_path_factory.mktemp("wide")
    return tune_teacher(task_data, teacher_folder, folder, training=training, pairs=256)


def test_all_that_answers_for_the_teacher_has_it(teacher, task_data):
    rows = task_data.split("validation")
    tokens = teacher_tokens(teacher, rows.texts)
    whole, bare = load_whole(teacher), load_teacher(teacher)
    lean = make_lean(whole, torch.arange(1, 17).reshape(2, 8))
    assert isinstance(lean, Wide)
    assert isinstance(lean.network, LeanEncoder)
    answer, right = open_eager(str(teacher.path)), {"whole": 0, "bare": 0}
    with torch.inference_mode():
        for place, text in enumerate(rows.texts):
            ids = torch.from_numpy(tokens.padded(np.array([place]))[0])
            logits = whole(ids)
            assert lean(ids).numpy() == pytest.approx(logits.numpy(), abs=1e-4)
            assert answer(text) == pytest.approx(logits[0].tolist(), abs=1e-4)
            right["whole"] += int(logits.argmax()) == rows.classes[place]
            right["bare"] += int(bare(ids).argmax()) == rows.classes[place]
    assert right["whole"] > 0.9 * len(rows)
    assert right["whole"] >= right["bare"]


def test_a_student_is_exported_with_it(teacher, task_data, tmp_path):
    parts = []
    for split in ("train", "validation"):
        rows = task_data.split(split)
        logits = np.zeros((len(rows), LABELS), np.float16)
        parts.append(Examples(rows.texts, rows.classes, logits))
    model = TransformerModel(
        kind="transformer",
        name="cut",
        layers=(0,),
        pairs=128,
        max_tokens=24,
        training=Training(epochs=1, batch=32),
    )
    lesson = Lesson(classify_as_taught(teacher.outputs, Distillation()), *parts)
    distil(model, teacher, lesson, tmp_path, Session("intent", 0, 1))
    module = load_module(open_student(tmp_path, "digest"))
    assert isinstance(module, Wide)
    export_onnx(module, tmp_path / "student.onnx", 24)
    session = ort.InferenceSession(tmp_path / "student.onnx")
    for ids in ([[2, 9, 8, 7, 3]], [[2, 30, 31, 3], [2, 40, 3, 0]]):
        got = session.run(None, {"input_ids": np.array(ids)})[0]
        with torch.inference_mode():
            assert got == pytest.approx(module(torch.tensor(ids)).numpy(), abs=1e-4)


def test_a_teacher_that_is_not_trained_here_has_none():
    with pytest.raises(ValidationError, match="pairs would change nothing"):
        TeacherSetting(fine_tune=False, pairs=64)


@pytest.mark.long
def test_rows_that_a_build_shares_stay_behind_their_map(wide, tmp_path):
    """As LiteRT's builds with fewer rows do it: tables are exchanged, then the lean form is made."""
    export_onnx(wide, tmp_path / "whole.onnx", 24)
    whole = onnx.load(tmp_path / "whole.onnx")
    counts = {name: np.ones(shape, np.int64) for name, shape in [(table_name(whole), TOKENS + PAIRS + 1)]}
    shared = share_rows(onnx.load(tmp_path / "whole.onnx"), counts, 60)
    module = make_lean(share_embeddings(wide, whole, shared), torch.arange(1, 17).reshape(2, 8))
    assert module.table.weight.shape == (60, LABELS)
    answers = ort.InferenceSession(shared.SerializeToString())
    for row in ROWS:
        with torch.inference_mode():
            got = module(torch.tensor([row]), torch.ones(1, len(row), dtype=torch.int64))
        assert got.numpy() == pytest.approx(answers.run(None, {"input_ids": np.array([row])})[0], abs=1e-5)


def table_name(model):
    (name,) = {weight.name for weight in model.graph.initializer if list(weight.dims)[1:] == [LABELS]}
    return name
