"""What stands on an encoder and is new: how it begins, and how fast it learns."""

import pytest
import torch
from torch import nn
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from edgekd.config import Training
from edgekd.distill.fresh import start_fresh
from edgekd.distill.training.optimizer import StudentOptimizer

SIZES = dict(
    hidden_size=8,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=16,
    vocab_size=20,
    num_labels=3,
)
KINDS = {
    "bert": (lambda: BertForSequenceClassification(BertConfig(**SIZES)), "bert.pooler.dense", "classifier"),
    "roberta": (
        lambda: RobertaForSequenceClassification(RobertaConfig(**SIZES)),
        "classifier.dense",
        "classifier.out_proj",
    ),
}


def names_of(model, parameters):
    held = {id(p) for p in parameters}
    return {name for name, p in model.named_parameters() if id(p) in held}


@pytest.mark.parametrize("kind", KINDS)
def test_an_untrained_pooler_begins_as_the_identity(kind):
    make, pooler, head = KINDS[kind]
    model = make()
    before = {name: p.clone() for name, p in model.named_parameters()}
    fresh = start_fresh(model)
    assert torch.equal(model.get_submodule(pooler).weight, torch.eye(8))
    changed = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert changed == {f"{pooler}.weight"}  # the head's rows stay as they were drawn
    assert names_of(model, fresh) == {
        f"{name}.{part}" for name in (pooler, head) for part in ("weight", "bias")
    }


@pytest.mark.parametrize("kind", KINDS)
def test_trained_layers_stay_as_they_are(kind):
    make, pooler, head = KINDS[kind]
    model = make()
    layer = model.get_submodule(pooler)
    with torch.no_grad():
        layer.bias[3] = 1e-3
    before = layer.weight.clone()
    fresh = start_fresh(model)
    assert torch.equal(layer.weight, before)
    assert names_of(model, fresh) == {f"{head}.weight", f"{head}.bias"}


@pytest.mark.parametrize(("peak", "times"), [(2e-4, 10), (1e-3, 2), (5e-3, 1)])
def test_fresh_parameters_have_a_peak_rate_of_at_least_two_in_a_thousand(peak, times):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    before = [p.detach().clone() for p in model.parameters()]
    training = Training(learning_rate=peak, weight_decay=0.0)
    optimizer = StudentOptimizer(model, training, list(model[1].parameters()))
    model(torch.ones(3, 4)).square().sum().backward()
    optimizer.step(1e-3)  # Adam's first step is the rate itself, whatever the gradient
    moved = [float((p.detach() - old).abs().max()) for p, old in zip(model.parameters(), before, strict=True)]
    assert moved == pytest.approx([1e-3, 1e-3, times * 1e-3, times * 1e-3], rel=1e-3)
