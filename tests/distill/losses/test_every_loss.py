"""What every loss keeps: its gradient is right, padding is not seen, processes add up to the whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from edgekd.distill import losses
from edgekd.distill.losses import (
    attention_mse,
    blend_by_class,
    blend_terms,
    combined_loss,
    hard_cross_entropy,
    hidden_mse,
    list_cross_entropy,
    list_divergence,
    list_margin_mse,
    logit_mse,
    margin_mse,
    number_cross_entropy,
    number_divergence,
    rare_class_loss,
    rare_class_penalty,
    relation_divergence,
    response_cross_entropy,
    response_divergence,
    score_mse,
    soft_divergence,
    soften,
    weighted_mean,
)

SIZES = {"head": 2, "label": 5, "width": 4, "wide": 6}
HARD, SOFT = torch.tensor([1.0, 1, 1, 3, 0]).double(), torch.tensor([1.0, 3, 0, 1, 1]).double()


@dataclass(frozen=True)
class Loss:
    """`call(student, teacher, classes, mask)` gives one value a row; axes after the row by name."""

    call: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
    student: str
    teacher: str

    def draw(self, rows, tokens, seed):
        generator = torch.Generator().manual_seed(seed)
        shapes = [
            [rows, *(tokens if a == "token" else SIZES[a] for a in axes.split())]
            for axes in (self.student, self.teacher)
        ]
        student, teacher = (torch.randn(s, dtype=torch.float64, generator=generator) for s in shapes)
        return student, teacher, torch.randint(-1, 5, (rows,), generator=generator)

    @property
    def is_masked(self):
        return "token" in self.student


def words(mask: Tensor) -> Tensor:
    return (torch.arange(mask.shape[1]) * 3 % 5).expand(mask.shape)


def numbers(logits: Tensor, classes: Tensor) -> Tensor:
    """Numbers from 0 to 1; none where there is no class."""
    return torch.where(classes >= 0, logits.sigmoid(), torch.nan)


def grades(scores: Tensor, mask: Tensor) -> Tensor:
    """Grades of 0 to 3; padding has none, and among others every third is not judged."""
    judged = (torch.arange(scores.shape[-1]) % 3 != 2).expand(scores.shape)
    known = torch.where(judged, (scores.nan_to_num() * 2).round().clamp(0, 3), torch.nan)
    return torch.where(mask, known, -1.0)


LOSSES = {
    "hard_cross_entropy": Loss(lambda s, t, c, m: hard_cross_entropy(s, c), "label", "label"),
    "soft_divergence": Loss(lambda s, t, c, m: soft_divergence(s, t, 3.0), "label", "label"),
    "logit_mse": Loss(lambda s, t, c, m: logit_mse(s, t), "label", "label"),
    "combined_loss": Loss(
        lambda s, t, c, m: combined_loss(s, t, c, alpha=0.7, temperature=3.0), "label", "label"
    ),
    "blend_by_class": Loss(
        lambda s, t, c, m: combined_loss(s, t, c, alpha=blend_by_class(c, HARD, SOFT), temperature=2.0),
        "label",
        "label",
    ),
    "hidden_mse": Loss(lambda s, t, c, m: hidden_mse(s, t, m), "token width", "token width"),
    "attention_mse": Loss(lambda s, t, c, m: attention_mse(s, t, m), "head token token", "head token token"),
    "relation_divergence": Loss(
        lambda s, t, c, m: relation_divergence(s, t, 2, m), "token width", "token wide"
    ),
    "number_cross_entropy": Loss(lambda s, t, c, m: number_cross_entropy(s, numbers(t, c)), "", ""),
    "number_divergence": Loss(lambda s, t, c, m: number_divergence(s, t), "", ""),
    "blend_terms": Loss(
        lambda s, t, c, m: blend_terms(
            number_cross_entropy(s, numbers(t, c)), number_divergence(s, t), c >= 0, 0.3
        ),
        "",
        "",
    ),
    "score_mse": Loss(lambda s, t, c, m: score_mse(s, t, m), "token", "token"),
    "list_margin_mse": Loss(lambda s, t, c, m: list_margin_mse(s, t, m), "token", "token"),
    "list_cross_entropy": Loss(lambda s, t, c, m: list_cross_entropy(s, grades(t, m)), "token", "token"),
    "margin_mse": Loss(lambda s, t, c, m: margin_mse(s, t, m), "token", "token"),
    "list_divergence": Loss(lambda s, t, c, m: list_divergence(s, t, 0.5, m), "token", "token"),
    "response_cross_entropy": Loss(
        lambda s, t, c, m: response_cross_entropy(s, words(m), m), "token label", "token label"
    ),
    "response_divergence": Loss(
        lambda s, t, c, m: response_divergence(s, t, m, 2.0), "token label", "token label"
    ),
}
MASKED = [name for name, loss in LOSSES.items() if loss.is_masked]
BATCHES = {
    "soften",
    "weighted_mean",
    "rare_class_penalty",
    "rare_class_loss",
}  # have tests of their own below
NOT_DIFFERENTIATED = {
    "ORIGIN_WEIGHTS", "OriginShares", "dominating_examples", "effective_number", "inverse_frequency",
    "oversampled_rows", "persistent_examples", "share_by_origin", "weigh_by_class", "weigh_by_origin",
}  # fmt: skip


def make_mask(lengths, tokens):
    return torch.arange(tokens) < torch.tensor(lengths)[:, None]


def padded(values: Tensor, axes: str, mask: Tensor, filler: float) -> Tensor:
    """Write `filler` wherever one of the token axes is beyond its row's length."""
    names = axes.split()
    for place in (i + 1 for i, axis in enumerate(names) if axis == "token"):
        shape = [1] * values.ndim
        shape[0], shape[place] = mask.shape
        values = values.masked_fill(~mask.reshape(shape), filler)
    return values


def alone(values: Tensor, axes: str, row: int, length: int) -> Tensor:
    """Take one row without its padding."""
    values = values[row : row + 1]
    for place in (i + 1 for i, axis in enumerate(axes.split()) if axis == "token"):
        values = values.narrow(place, 0, length)
    return values


def test_every_loss_is_in_the_tables():
    assert set(LOSSES) | BATCHES | NOT_DIFFERENTIATED == set(losses.__all__)


@pytest.mark.parametrize("name", LOSSES)
def test_autograd_agrees_with_finite_differences(name):
    loss = LOSSES[name]
    student, teacher, _ = loss.draw(3, 3, seed=1)
    classes, mask = torch.tensor([4, -1, 0]), make_mask([3, 0, 2], 3)
    weights = torch.tensor([1.0, 3.0, 0.5]).double()

    def mean(student):
        return weighted_mean(loss.call(student, teacher, classes, mask), weights)

    assert torch.autograd.gradcheck(mean, student.requires_grad_())
    assert student.grad is None and torch.autograd.grad(mean(student), student)[0].abs().sum() > 0


def test_autograd_of_what_is_not_one_value_a_row():
    student, _, _ = LOSSES["soft_divergence"].draw(4, 3, seed=2)
    classes, rare = torch.tensor([1, 3, 3, -1]), torch.tensor([0, 1, 3])
    leaf = student.requires_grad_()
    assert torch.autograd.gradcheck(lambda z: soften(z, 2.5), leaf)
    assert torch.autograd.gradcheck(lambda z: rare_class_penalty(z, classes, rare), leaf)
    weights = torch.tensor([0.5, 0.0, 2.0, 1.0]).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda z, w: weighted_mean(z[:, 0], w), (leaf, weights))
    shares = {"ce_weight": 0.45, "kd_weight": 0.55, "penalty_weight": 0.3}
    assert torch.autograd.gradcheck(
        lambda z: rare_class_loss(z[0, 0] ** 2, z[1, 1] ** 2, z[2, 2] ** 2, **shares), leaf
    )


@pytest.mark.parametrize("name", MASKED)
@given(lengths=st.lists(st.integers(0, 4), min_size=1, max_size=4), seed=st.integers(0, 99))
@settings(max_examples=12, deadline=None)
def test_a_padded_batch_is_its_rows_one_by_one(name, lengths, seed):
    loss = LOSSES[name]
    student, teacher, classes = loss.draw(len(lengths), 4, seed)
    mask = make_mask(lengths, 4)
    leaf = padded(student, loss.student, mask, float("nan")).requires_grad_()
    values = loss.call(leaf, padded(teacher, loss.teacher, mask, float("nan")), classes, mask)
    (gradient,) = torch.autograd.grad(values.sum(), leaf)
    assert (padded(gradient, loss.student, ~mask, 0.0) == 0).all()  # NaN would not be equal
    for row, length in enumerate(lengths):
        if length == 0:
            assert values[row] == 0
            continue
        own = alone(student, loss.student, row, length).requires_grad_()
        other = alone(teacher, loss.teacher, row, length)
        value = loss.call(own, other, classes[row : row + 1], mask[row : row + 1, :length])
        assert values[row].item() == pytest.approx(value.item(), rel=1e-12, abs=1e-12)
        (wanted,) = torch.autograd.grad(value.sum(), own)
        torch.testing.assert_close(alone(gradient, loss.student, row, length), wanted)


@pytest.mark.parametrize("call", [hidden_mse, attention_mse, score_mse, margin_mse])
def test_without_a_mask_all_is_real(call):
    loss = LOSSES[call.__name__]
    student, teacher, _ = loss.draw(2, 3, seed=3)
    wanted = call(student, teacher, make_mask([3, 3], 3))
    torch.testing.assert_close(call(student, teacher), wanted)


def test_without_a_mask_all_is_real_in_divergences():
    student, teacher, _ = LOSSES["relation_divergence"].draw(2, 3, seed=3)
    whole = make_mask([3, 3], 3)
    torch.testing.assert_close(
        relation_divergence(student, teacher, 2), relation_divergence(student, teacher, 2, whole)
    )
    scores = student[..., 0], teacher[..., 0]
    torch.testing.assert_close(list_divergence(*scores, 0.5), list_divergence(*scores, 0.5, whole))


@pytest.mark.parametrize("name", LOSSES)
@given(
    rows=st.lists(
        st.tuples(st.integers(1, 4), st.sampled_from([0.0, 0.5, 1.0, 3.0])), min_size=2, max_size=5
    ),
    first=st.integers(0, 5),
)
@settings(max_examples=8, deadline=None)
def test_two_processes_have_the_gradient_of_one(name, rows, first):
    """Whatever part of the rows the first process got, even none or all."""
    loss = LOSSES[name]
    lengths, row_weights = zip(*rows, strict=True)
    student, teacher, classes = loss.draw(len(rows), 4, seed=len(rows))
    mask, weights = make_mask(lengths, 4), torch.tensor(row_weights).double()
    student.requires_grad_()

    def mean(part, weight_sum):
        values = loss.call(student[part], teacher[part], classes[part], mask[part])
        return weighted_mean(values, weights[part], weight_sum)

    whole = mean(slice(None), None)
    parts = [mean(slice(None, first), weights.sum()), mean(slice(first, None), weights.sum())]
    (wanted,) = torch.autograd.grad(whole, student)
    (found,) = torch.autograd.grad(parts[0] + parts[1], student)
    torch.testing.assert_close(found, wanted)
    assert (parts[0] + parts[1]).item() == pytest.approx(whole.item())
    assert (wanted[weights == 0] == 0).all()
