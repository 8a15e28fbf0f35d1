"""A student of a width of its own: the teacher's architecture in another size."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from edgekd.config import NarrowModel
from edgekd.distill.sizes import check_sizes, resize
from edgekd.distill.teacher import HeadedEncoder
from edgekd.errors import ConfigError


def make_narrow(teacher: HeadedEncoder, model: NarrowModel, kept: npt.NDArray[np.int64]) -> HeadedEncoder:
    """Make a student with fresh layers; its tables are the teacher's, reduced to its width.

    Token vectors are reduced by their principal components, as of the static student, and the other
    tables of the same width by the same components. `kept` holds for each id the teacher's id, shape
    [token].

    Raises:
        ConfigError: if the teacher's family has no such sizes.
    """
    config = deepcopy(teacher.model.config)
    if config.pad_token_id is not None:
        places = np.flatnonzero(kept == config.pad_token_id)
        config.pad_token_id = int(places[0]) if len(places) else None
    network = make_shape(config, model, len(kept))
    source = dict(teacher.model.named_modules())
    vectors = teacher.model.get_input_embeddings().weight.detach()[torch.from_numpy(kept)]
    components = torch.linalg.svd(vectors - vectors.mean(dim=0), full_matrices=False)[2]
    with torch.no_grad():
        for name, table in network.named_modules():
            if not isinstance(table, nn.Embedding) or name not in source:
                continue
            found = source[name].weight
            if table is network.get_input_embeddings():
                found = vectors
            if found.shape[1] == vectors.shape[1] and len(found) == len(table.weight):
                reduced = components[: table.embedding_dim]
                table.weight[:, : len(reduced)] = found @ reduced.T
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return HeadedEncoder(network, teacher.order)


def make_shape(config: Any, model: NarrowModel, tokens: int) -> Any:
    """Make a model of `transformers` with a head, in the student's size; `config` is the caller's own copy.

    Its weights are drawn from torch's generator, on torch's default device.

    Raises:
        ConfigError: if the configuration's family has no such sizes.
    """
    from transformers import AutoModelForSequenceClassification

    resize(config, model)
    config.vocab_size = tokens
    kind: Any = AutoModelForSequenceClassification
    try:
        network = kind.from_config(config, attn_implementation="eager")
    except (ValueError, AssertionError) as error:
        words = " ".join(str(error).split())
        raise ConfigError(
            f"models/{model.name}.yaml: {type(config).__name__} refuses it: {words:.160}"
        ) from None
    check_sizes(network, model)
    return network
