"""A student cut from its teacher: some of its layers, some rows of its token table."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from edgekd.distill.layers import find_layers
from edgekd.distill.teacher import HeadedEncoder
from edgekd.errors import ConfigError


def cut_layers(teacher: HeadedEncoder, layers: tuple[int, ...], kept: npt.NDArray[np.int64]) -> HeadedEncoder:
    """Keep some of the teacher's layers and some rows of its token table; the rest is shared as it is.

    Works for any Hugging Face encoder that holds its layers in one `ModuleList`.
    """
    model = teacher.model
    depth = model.config.num_hidden_layers
    chosen = sorted({layer % depth for layer in layers if -depth <= layer < depth})
    if len(chosen) != len(layers):
        raise ConfigError(f"layers {list(layers)} must be different and within the teacher's {depth}")
    place = find_layers(model)
    whole = model.get_submodule(place)
    model.set_submodule(place, nn.ModuleList([whole[i] for i in chosen]))
    model.config.num_hidden_layers = len(chosen)
    old = model.get_input_embeddings()
    new = nn.Embedding(len(kept), old.embedding_dim)
    with torch.no_grad():
        new.weight.copy_(old.weight[torch.from_numpy(kept)])
    model.set_input_embeddings(new)
    model.config.vocab_size = len(kept)
    if not _counts_from_padding(model, kept):
        model.config.pad_token_id = None
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0  # a small student on soft labels underfits: dropout only slows it
    return teacher


def _counts_from_padding(model: Any, kept: npt.NDArray[np.int64]) -> bool:
    """Tell whether positions are counted from the padding token's id, as in RoBERTa; it must then stay."""
    tables = [m for name, m in model.named_modules() if name.endswith("position_embeddings")]
    pad = model.config.pad_token_id
    if not any(getattr(table, "padding_idx", None) is not None for table in tables):
        return False
    if pad is None or pad >= len(kept) or kept[pad] != pad:
        raise ConfigError(
            f"{type(model).__name__}: counts positions from its padding token, which a cut vocabulary moves; "
            "set the student's vocabulary to the teacher's size or more"
        )
    return True
