"""Where a Hugging Face encoder keeps its layers."""

from __future__ import annotations

from typing import Any

from torch import nn

from edgekd.errors import ConfigError


def find_layers(model: Any) -> str:
    """Return the dotted name of the one `ModuleList` that holds all of the model's layers.

    Raises:
        ConfigError: if there is none, as in an encoder whose layers are one layer used many times.
    """
    depth = model.config.num_hidden_layers
    for name, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == depth:
            return str(name)
    raise ConfigError(f"{type(model).__name__}: has no list of {depth} layers to cut or to adapt")
