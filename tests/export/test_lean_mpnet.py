import numpy as np
import pytest
import sample_students as samples
import torch
from torch import nn
from transformers import MPNetConfig, MPNetForSequenceClassification

from edgekd.distill.lean import LeanMPNet, make_lean
from edgekd.export import export_onnx, prove_parity

IDS = torch.arange(3, 19).reshape(2, 8)
FOLDS = pytest.mark.parametrize("fold", [None, 24])


@pytest.fixture
def module() -> nn.Module:
    torch.manual_seed(1)
    config = MPNetConfig(
        vocab_size=300, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=66, num_labels=len(samples.LABELS),
    )  # fmt: skip
    model = MPNetForSequenceClassification(config)
    with torch.no_grad():
        model.classifier.out_proj.weight.mul_(40)
        model.mpnet.encoder.relative_attention_bias.weight.mul_(100)  # drawn so small that nothing shows it
    return samples.Encoder(model).eval()


@FOLDS
@pytest.mark.parametrize("tokens", [1, 2, 24])
def test_encoder_is_cut_to_what_the_answer_depends_on(module, fold, tokens):
    lean = make_lean(module, IDS, fold)
    assert isinstance(lean, LeanMPNet)
    ids = torch.randint(2, 300, (3, tokens))
    torch.testing.assert_close(lean(ids), module(ids), atol=1e-5, rtol=0)


@FOLDS
def test_padding_token_that_a_text_spells_takes_no_place(module, fold):
    ids = torch.tensor([[0, 9, 1, 11, 1, 1, 12, 2]])
    torch.testing.assert_close(make_lean(module, IDS, fold)(ids), module(ids), atol=1e-5, rtol=0)


def test_distance_of_tokens_shows_in_the_answer(module):
    lean = make_lean(module, IDS, 24)
    with torch.no_grad():
        lean.near.zero_()
        assert (lean(IDS) - module(IDS)).abs().max() > 1e-3


def test_order_of_labels_is_kept(module):
    module.order = [3, 0, 7]
    lean = make_lean(module, IDS, 24)
    assert isinstance(lean, LeanMPNet)
    torch.testing.assert_close(lean(IDS), module(IDS), atol=1e-5, rtol=0)


def test_padding_changes_nothing_and_training_reaches_the_shared_weights(module):
    lean = make_lean(module, IDS)
    mask = torch.ones_like(IDS)
    mask[1, 5:] = 0
    torch.testing.assert_close(lean(IDS, mask)[1], lean(IDS[1:, :5])[0], atol=1e-5, rtol=0)
    before, table = module(IDS).detach(), module.model.mpnet.encoder.relative_attention_bias.weight.clone()
    lean(IDS, mask).sum().backward()
    torch.optim.SGD(lean.parameters(), 0.01).step()
    assert not torch.allclose(module(IDS), before)
    assert not torch.equal(module.model.mpnet.encoder.relative_attention_bias.weight, table)
    torch.testing.assert_close(lean.eval()(IDS), module(IDS), atol=1e-4, rtol=0)


@pytest.mark.parametrize("is_lean", [True, False])
@pytest.mark.long
def test_graph_answers_as_the_module_at_every_length(module, tmp_path, monkeypatch, is_lean):
    import onnxruntime

    if not is_lean:  # what an encoder without a lean form is exported from
        monkeypatch.setattr("edgekd.distill.lean.make_lean", lambda module, *_: module)
    export_onnx(module, tmp_path / "m.onnx", 24)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    rows = [list(range(3, 3 + length)) for length in range(1, 25)] + [[0, 9, 1, 11, 2]]

    def reference(row):
        with torch.inference_mode():
            return module(torch.tensor([list(row)]))[0].numpy()

    def candidate(row):
        return session.run(None, {"input_ids": np.array([row], np.int64)})[0][0]

    assert prove_parity(reference, candidate, rows).worst < 1e-4
