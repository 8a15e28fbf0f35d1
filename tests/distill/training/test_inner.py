from copy import deepcopy

import numpy as np
import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    MPNetConfig,
    MPNetForSequenceClassification,
)

from edgekd.config import Training
from edgekd.distill.lean import make_lean
from edgekd.distill.logs.profile import StageClock
from edgekd.distill.teacher import HeadedEncoder
from edgekd.distill.training.inner import InnerStudent, show_features
from edgekd.distill.training.optimizer import StudentOptimizer
from edgekd.errors import ConfigError

IDS = torch.tensor([[2, 7, 8, 3], [2, 9, 3, 0]])
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])


def bert(layers=2, width=16, heads=2, tokens=20, kind=BertForSequenceClassification, config=BertConfig):
    torch.manual_seed(layers + width)
    shape = config(
        vocab_size=tokens, num_labels=3, hidden_size=width, num_hidden_layers=layers,
        num_attention_heads=heads, intermediate_size=16, attn_implementation="eager",
    )  # fmt: skip
    return kind(shape).eval()


def make(student, teacher, kept=None, layers=None):
    lean = make_lean(HeadedEncoder(student), torch.arange(8).reshape(2, 4))
    return InnerStudent(lean, student, teacher, np.arange(20) if kept is None else kept, layers)


@pytest.mark.parametrize(("width", "heads"), [(16, 2), (32, 4)], ids=["attention", "relations"])
def test_lean_and_whole_answer_alike_and_only_the_student_learns(width, heads):
    teacher = bert(4, width, heads)
    before = deepcopy(teacher.state_dict())
    inner = make(bert(), teacher)
    logits, terms = inner(IDS, MASK, matches=True)
    assert torch.allclose(inner(IDS, MASK), logits, atol=1e-5)
    assert terms.hidden.shape == (2,) and (terms.hidden > 0).all()
    assert bool((terms.relation > 0).all()) == (heads == 4) != bool((terms.attention > 0).all())
    optimizer = StudentOptimizer(inner, Training(learning_rate=1e-2))
    table = inner.row_tables[0].detach().clone()
    (terms.hidden + terms.attention + terms.relation + logits.sum(1)).sum().backward()
    optimizer.step(1e-2)
    moved = (inner.row_tables[0] != table).any(dim=1)
    assert set(np.flatnonzero(moved)) <= {2, 3, 7, 8, 9, 0} and moved[7]
    assert all(torch.equal(value, before[key]) for key, value in teacher.state_dict().items())
    held = {key for key in inner.state_dict() if key.startswith(("answering.", "matcher."))}
    assert held == set(inner.state_dict()) and any("matcher" in key for key in held) == (width != 16)


def test_teacher_reads_the_students_tokens_by_its_own_ids():
    teacher, student = bert(), bert()
    kept = np.array([5, 6, 7, 8, 9, 10, 11, 12, 13, 14])
    rows = teacher.get_input_embeddings().weight[torch.from_numpy(kept)]
    student.set_input_embeddings(torch.nn.Embedding.from_pretrained(rows))
    inner = make(student, teacher, kept).eval()
    _, terms = inner(IDS, MASK, matches=True)
    assert terms.hidden.max() < 1e-10 and terms.attention.max() < 1e-10


def test_mpnet_shows_relations_too():
    model = bert(kind=MPNetForSequenceClassification, config=MPNetConfig, tokens=30)
    _, shown = show_features(model, IDS + 2, MASK, relations=True)
    assert len(shown.projected) == 2 and len(shown.hidden) == 3 and not shown.attention
    assert {part.shape for layer in shown.projected for part in layer} == {(2, 4, 16)}


def test_map_that_does_not_fit_is_one_line():
    with pytest.raises(ConfigError, match="there is no 9"):
        make(bert(), bert(4), layers={2: 9})


def test_the_teachers_forward_pass_is_booked_as_the_teachers():
    inner, clock = make(bert(), bert(40)), StageClock()
    inner.tell_phases(clock.switch)
    clock.switch("student")
    with torch.no_grad():
        inner(IDS, MASK, matches=True)
    found = clock.profile("small", 1, threads=1)
    assert found.teacher_forward_fraction > 0.6 > 0.4 > found.student_step_fraction > 0
    inner(IDS, MASK)
    assert clock.profile("small", 1, threads=1).teacher_forward_fraction == 0
