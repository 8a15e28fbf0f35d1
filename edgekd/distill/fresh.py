"""What stands on a checkpoint's encoder and that nothing has trained yet."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from edgekd.distill.lora import list_heads


def start_fresh(model: Any) -> list[Tensor]:
    """Let a pooler that nothing has trained begin as the identity; return the parameters of all such layers.

    A linear layer that nothing has trained is one whose bias is exactly 0. Sentence encoders read the mean
    over tokens, so that their pooler, tanh(Wx + b) of the first token, was only ever decayed: MiniLM-L6's
    weights have a standard deviation of 0.009, and what passes it is too faint for a new head.
    """
    fresh: list[Tensor] = []
    for part in list_heads(model):
        for name, layer in part.named_modules():
            if not isinstance(layer, nn.Linear) or layer.bias is None or layer.bias.any():
                continue
            fresh += [layer.weight, layer.bias]
            # BERT's pooler, and the same layer in the head of RoBERTa and MPNet.
            if name == "dense" and layer.in_features == layer.out_features:
                with torch.no_grad():
                    layer.weight.copy_(torch.eye(layer.in_features))
    return fresh
