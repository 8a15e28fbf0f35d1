"""A student cut from its teacher: some of its layers, some rows of its token table."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from edgekd.distill.layers import find_layers
from edgekd.distill.sizes import keep_layers
from edgekd.distill.teacher import HeadedEncoder
from edgekd.errors import ConfigError

_EXAMPLE = 8  # tokens
_TOLERANCE = 1e-3  # of outputs: two ways to compute attention differ by rounding


def cut_layers(teacher: HeadedEncoder, layers: tuple[int, ...], kept: npt.NDArray[np.int64]) -> HeadedEncoder:
    """Keep some of the teacher's layers and some rows of its token table; the rest is shared as it is.

    Works for any Hugging Face encoder that holds its layers in one `ModuleList`.
    """
    model = teacher.model
    place, chosen = choose_layers(model, layers)
    whole = model.get_submodule(place)
    model.set_submodule(place, nn.ModuleList([whole[i] for i in chosen]))
    for number, layer in enumerate(model.get_submodule(place)):
        for part in layer.modules():
            if hasattr(part, "layer_idx"):  # decoders count their layers, for a cache
                part.layer_idx = number
    keep_layers(model.config, chosen)
    old = model.get_input_embeddings()
    new = nn.Embedding(len(kept), old.embedding_dim)
    with torch.no_grad():
        new.weight.copy_(old.weight[torch.from_numpy(kept)])
    model.set_input_embeddings(new)
    model.config.vocab_size = len(kept)
    if not _counts_from_padding(model, kept):
        model.config.pad_token_id = _find_pad(model, kept)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0  # a small student on soft labels underfits: dropout only slows it
    _check_config(model)
    return teacher


def _find_pad(model: Any, kept: npt.NDArray[np.int64]) -> int | None:
    """Return the padding's new id for a decoder, which `score`s the last token that is none; else None."""
    places: list[int] = np.flatnonzero(kept == model.config.pad_token_id).tolist()
    return places[0] if places and hasattr(model, "score") else None


def _check_config(model: Any) -> None:
    """Make a second model of the configuration, and have it answer with the same weights: so it is loaded.

    Raises:
        ConfigError: if it answers otherwise: then layers differ in something that is not known here.
    """
    from transformers import AutoModelForSequenceClassification

    kind: Any = AutoModelForSequenceClassification
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        ids = torch.arange(min(model.config.vocab_size, _EXAMPLE))[None]
        try:
            other = kind.from_config(deepcopy(model.config), attn_implementation="eager")
            other.load_state_dict(model.state_dict())
            found, expected = (HeadedEncoder(one.eval())(ids) for one in (other, model))
        except (RuntimeError, ValueError, TypeError, LookupError, AttributeError) as error:
            words = " ".join(str(error).split())
            raise ConfigError(
                f"{type(model).__name__}: cannot be cut to these layers, as not all are alike; keep the "
                f"first one ({words:.160})"
            ) from None
    if not float((found - expected).abs().max()) <= _TOLERANCE:
        raise ConfigError(
            f"{type(model).__name__}: its layers cannot be cut: loaded again, what is left answers otherwise"
        )


def choose_layers(model: Any, layers: tuple[int, ...]) -> tuple[str, list[int]]:
    """Return where a model keeps its layers, and which of them are asked for, counted from 0.

    Raises:
        ConfigError: if it has no such layers, or keeps them so that they cannot be cut.
    """
    place = find_layers(model)
    depth = model.config.num_hidden_layers
    chosen = sorted({layer % depth for layer in layers if -depth <= layer < depth})
    if len(chosen) != len(layers):
        raise ConfigError(f"layers {list(layers)} must be different and within the teacher's {depth}")
    return place, chosen


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
