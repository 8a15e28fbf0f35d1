"""A student of a width of its own: the teacher's architecture in another size."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from edgekd.config import NarrowModel
from edgekd.distill.teacher import HeadedEncoder


def make_narrow(teacher: HeadedEncoder, model: NarrowModel, kept: npt.NDArray[np.int64]) -> HeadedEncoder:
    """Make a student with fresh layers; its tables are the teacher's, reduced to its width.

    Token vectors are reduced by their principal components, as of the static student, and the other
    tables of the same width by the same components. `kept` holds for each id the teacher's id, shape
    [token].
    """
    from transformers import AutoModelForSequenceClassification

    config = deepcopy(teacher.model.config)
    config.hidden_size, config.num_hidden_layers = model.width, model.layers
    config.num_attention_heads, config.intermediate_size = model.heads, model.feed_forward
    config.vocab_size = len(kept)
    if config.pad_token_id is not None:
        places = np.flatnonzero(kept == config.pad_token_id)
        config.pad_token_id = int(places[0]) if len(places) else None
    kind: Any = AutoModelForSequenceClassification
    network = kind.from_config(config, attn_implementation="eager")
    source = dict(teacher.model.named_modules())
    vectors = teacher.model.get_input_embeddings().weight.detach()[torch.from_numpy(kept)]
    components = torch.linalg.svd(vectors - vectors.mean(dim=0), full_matrices=False)[2][: model.width]
    with torch.no_grad():
        for name, table in network.named_modules():
            if not isinstance(table, nn.Embedding):
                continue
            found = source[name].weight
            if table is network.get_input_embeddings():
                found = vectors
            if found.shape[1] == vectors.shape[1] and len(found) == len(table.weight):
                table.weight[:, : len(components)] = found @ components.T
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return HeadedEncoder(network, teacher.order)
