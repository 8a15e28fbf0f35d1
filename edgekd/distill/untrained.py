"""A student that nothing has taught: for what depends on its shape alone, as its speed and its size do."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import nn

from edgekd.config import StudentModel
from edgekd.distill.fine_tune import name_outputs
from edgekd.distill.narrow import make_shape
from edgekd.distill.sizes import keep_layers
from edgekd.distill.static import StaticNetwork
from edgekd.distill.student import save_student
from edgekd.distill.teacher import HeadedEncoder
from edgekd.distill.training.reading import Separation, find_form
from edgekd.distill.vocabulary import prune_vocabulary, without_specials
from edgekd.distill.weights import load_config, load_tokenizer_json
from edgekd.distill.wide import save_wide
from edgekd.errors import ConfigError
from edgekd.store import write_atomic

_SEED = 0
_SPREAD = 0.05


def write_untrained(
    model: StudentModel,
    location: str,
    outputs: tuple[str, ...],
    texts: Sequence[str],
    folder: Path,
    *,
    is_paired: bool = False,
) -> None:
    """Write a student of a shape with random weights to `folder`, as `distil` writes a taught one.

    Args:
        model: Its shape.
        location: The teacher's weights, one of `find_weights`' locations; of them its configuration is read.
        outputs: Names of what it gives.
        texts: Texts that say which tokens are kept.
        folder: The caller's own.
        is_paired: Whether it reads a query and a candidate.

    Raises:
        ConfigError: the shape does not fit what it is made of.
    """
    torch.manual_seed(_SEED)
    own = model.weights if model.kind == "transformer" and model.weights is not None else location
    pruned, kept = prune_vocabulary(load_tokenizer_json(own), texts, model.vocabulary)
    is_static = model.kind == "static"
    separation = None
    if is_paired:
        separation = Separation(find_form(Tokenizer.from_str(pruned), own).separator, is_static)
    write_atomic(folder / "tokenizer.json", without_specials(pruned) if is_static else pruned)
    network: StaticNetwork | HeadedEncoder
    if model.kind == "static":
        width = model.dimension if is_paired else len(outputs)
        network = StaticNetwork(len(kept), model.pairs, model.dimension, model.hidden, width)
    else:
        encoder = _make_encoder(model, deepcopy(load_config(own)), len(kept), len(outputs))
        name_outputs(encoder, outputs)
        network = HeadedEncoder(encoder, separator=None if separation is None else separation.separator)
        if model.pairs:
            save_wide(_SPREAD * torch.randn(len(kept) + model.pairs, len(outputs)), len(kept), folder)
    _blur(network)
    save_student(model, network.eval(), outputs, folder, separation)


def _blur(network: nn.Module) -> None:
    """Move all weights a little: alike ones would be written once, and of zeros no table has a scale."""
    with torch.no_grad():
        for weights in network.parameters():
            weights.add_(_SPREAD * torch.randn_like(weights))


def _make_encoder(model: Any, config: Any, tokens: int, outputs: int) -> Any:
    config.num_labels = outputs
    if config.pad_token_id is not None and config.pad_token_id >= tokens:
        config.pad_token_id = None
    if model.kind == "narrow":
        return make_shape(config, model, tokens)
    from transformers import AutoModelForSequenceClassification

    depth = config.num_hidden_layers
    chosen = sorted({layer % depth for layer in model.layers if -depth <= layer < depth})
    if len(chosen) != len(model.layers):
        raise ConfigError(f"layers {list(model.layers)} must be different and within the teacher's {depth}")
    keep_layers(config, chosen)
    config.vocab_size = tokens
    kind: Any = AutoModelForSequenceClassification
    return kind.from_config(config, attn_implementation="eager")
