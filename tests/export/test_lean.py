import sample_students as samples
import torch
from torch import nn

from edgekd.distill.lean import LeanEncoder, make_lean

IDS = torch.arange(1, 17).reshape(2, 8)


def test_encoder_is_cut_to_what_the_answer_depends_on():
    module = samples.make_module(samples.TINY)
    lean = make_lean(module, IDS, 24)
    assert isinstance(lean, LeanEncoder)
    for tokens in (1, 2, 24):
        ids = torch.randint(0, 3000, (3, tokens))
        torch.testing.assert_close(lean(ids), module(ids), atol=1e-5, rtol=0)


def test_order_of_labels_is_kept():
    module = samples.make_module(samples.TINY)
    module.order = [3, 0, 7]
    lean = make_lean(module, IDS, 24)
    assert isinstance(lean, LeanEncoder)
    torch.testing.assert_close(lean(IDS), module(IDS), atol=1e-5, rtol=0)


def test_another_pooling_is_left_as_it_is():
    encoder = samples.make_module(samples.TINY).model

    class Mean(nn.Module):
        def __init__(self):
            super().__init__()
            self.bert, self.head = encoder.bert, encoder.classifier

        def forward(self, ids):
            return self.head(self.bert(input_ids=ids).last_hidden_state.mean(1))

    mean = Mean().eval()
    assert make_lean(mean, IDS, 24) is mean


def test_no_encoder_is_left_as_it_is():
    static = samples.make_module(samples.STATIC)
    assert make_lean(static, IDS, 24) is static


def test_padding_changes_nothing_and_training_reaches_the_shared_weights():
    module = samples.make_module(samples.TINY)
    lean = make_lean(module, IDS)
    mask = torch.ones_like(IDS)
    mask[1, 5:] = 0
    torch.testing.assert_close(lean(IDS, mask)[1], lean(IDS[1:, :5])[0], atol=1e-5, rtol=0)
    before = module(IDS).detach()
    lean(IDS, mask).sum().backward()
    torch.optim.SGD(lean.parameters(), 0.1).step()
    assert not torch.allclose(module(IDS), before)
    torch.testing.assert_close(lean.eval()(IDS), module(IDS), atol=1e-4, rtol=0)
