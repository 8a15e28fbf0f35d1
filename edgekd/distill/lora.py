"""Low-rank adapters: a teacher is tuned by few weights beside the frozen ones, and then they are one.

arXiv:2106.09685, by PEFT. For checkpoints whose full fine-tuning is unstable or whose moments do not
fit: AdamW keeps two moments a trained weight, and a checkpoint of training holds what is trained alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

from edgekd.config import Lora
from edgekd.distill.layers import find_layers
from edgekd.distill.weights import quiet
from edgekd.errors import ConfigError, MissingExtraError


def add_adapters(model: Any, lora: Lora) -> Any:
    """Freeze an encoder, its head and pooler apart, and put an adapter beside each linear layer.

    Adapters go to the attention and feed-forward parts of every encoder layer. The model is changed
    in place; they are drawn from torch's generator, and add nothing to an answer before they learn.

    Returns:
        PEFT's handle, for `merge_adapters`.

    Raises:
        MissingExtraError: if PEFT is not installed.
        ConfigError: if the model has no list of layers, or no linear ones in it.
    """
    with quiet():
        try:
            from peft import LoraConfig, get_peft_model
        except ImportError:
            raise MissingExtraError("peft", "train") from None
        from transformers.pytorch_utils import Conv1D  # GPT-2's linear layers, weights transposed

        inside = find_layers(model)
        targets = [
            f"{inside}.{name}"
            for name, module in model.get_submodule(inside).named_modules()
            if isinstance(module, nn.Linear | Conv1D)
        ]
        if not targets:
            kind = type(model).__name__
            raise ConfigError(f"{kind}: has no linear layers to adapt; leave lora out to tune it whole")
        handle = get_peft_model(
            model,
            LoraConfig(r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=targets),
        )
    for part in list_heads(model):
        part.requires_grad_(True)
    return handle


def merge_adapters(handle: Any) -> Any:
    """Add the adapters' products to the weights beside them; returns the model as an ordinary one."""
    with quiet():
        return handle.merge_and_unload()


def list_heads(model: Any) -> Iterator[nn.Module]:
    """Yield what stands on the encoder: new layers, and a pooler, which sentence encoders leave untrained."""
    encoder = model.base_model
    yield from (child for child in model.children() if child is not encoder)
    if isinstance(pooler := getattr(encoder, "pooler", None), nn.Module):
        yield pooler
