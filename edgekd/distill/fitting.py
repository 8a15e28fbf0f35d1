"""Whether a checkpoint can be trained on batches of its tokenizer's ids: said before it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import nn

from edgekd.distill.training.tokens import Tokens
from edgekd.errors import ConfigError

_TOKENS, _PADDING = 8, 3
_TOLERANCE = 1e-3  # of the largest output: rounding is a thousandth of it


def check_rows(model: Any, tokenizer: Tokenizer, written: str) -> None:
    """Hold a tokenizer's ids against the rows of the model's table; `written` is what a person calls it.

    Raises:
        ConfigError: naming a token without a row.
    """
    rows = model.get_input_embeddings().weight.shape[0]
    token, number = max(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
    if number >= rows:
        raise ConfigError(
            f"{written}: its tokenizer has the token {token!r} with the id {number}, and its table of tokens "
            f"has {rows} rows: save it again after model.resize_token_embeddings(len(tokenizer))"
        )


def check_padding(network: nn.Module, tokens: Tokens, written: str) -> None:
    """Have one text answered alone and in a batch with a longer one: training shares batches.

    `network` is `(ids, mask) -> outputs` and ends in eval mode.

    Raises:
        ConfigError: if the answers differ, as where a model has no mask, or looks for its answer at the last
            token that is not the padding's.
    """
    network.eval()
    row = int(tokens.lengths.argmax())
    ids = torch.from_numpy(tokens.padded(np.array([row]))[0][:, : _TOKENS + _PADDING])
    count = max(1, ids.shape[1] - _PADDING)
    mask = (torch.arange(ids.shape[1]) < count).long()[None]
    padded = torch.where(mask == 1, ids, 0)
    try:
        with torch.no_grad():
            alone, shared = network(ids[:, :count], None), network(padded, mask)
    except ValueError as error:
        words = " ".join(str(error).split())
        raise ConfigError(f"{written}: cannot be trained in batches: {words:.160}") from None
    if float((alone - shared).abs().max()) > _TOLERANCE * max(float(alone.abs().max()), 1e-6):
        raise ConfigError(
            f"{written}: answers otherwise in a batch with a longer text than alone, because its family does "
            "not read the mask everywhere; take another encoder: it can be compiled, and not trained here"
        )
