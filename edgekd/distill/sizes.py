"""The sizes of an encoder, by the names that its own family gives them in its configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgekd.config import NarrowModel
from edgekd.distill.layers import find_layers
from edgekd.errors import ConfigError

_DEPTH = ("num_hidden_layers", "n_layers", "n_layer", "num_layers")
_WIDTH = ("hidden_size", "dim", "emb_dim", "n_embd", "d_model")
_HEADS = ("num_attention_heads", "n_heads", "n_head", "num_heads")
_FEED_FORWARD = ("intermediate_size", "hidden_dim", "ffn_dim", "n_inner", "d_inner", "ffn_hidden_size")
_EACH = ("layer_types", "attention_window", "attention_layers", "mlp_layer_types")
# What follows from the width and the heads, where a family writes it down.
_HEAD_WIDTH = ("head_dim", "d_head")
_POOLED = "pooler_hidden_size"
# A width between tokens and layers: a setting of its own, and the layers' width in most checkpoints.
_TOKEN_WIDTH = "embedding_size"


def resize(config: Any, model: NarrowModel) -> None:
    """Give a configuration of `transformers` a student's layers, width, heads and feed-forward width.

    What is written a layer is cut to as many layers. Whether the model made of it has these sizes is for
    `check_sizes` to tell, because a configuration takes any key.

    Raises:
        ConfigError: if the family has no key for one of the sizes.
    """
    was = config.hidden_size
    sizes = {"layers": model.layers, "width": model.width, "heads": model.heads}
    known = {"layers": _DEPTH, "width": _WIDTH, "heads": _HEADS, "feed_forward": _FEED_FORWARD}
    keep_layers(config, range(model.layers))
    for name, size in {**sizes, "feed_forward": model.feed_forward}.items():
        _set(config, name, known[name], size)
    for key in _HEAD_WIDTH:
        if _has(config, key):
            setattr(config, key, model.width // model.heads)
    for key in (_POOLED, _TOKEN_WIDTH):
        if getattr(config, key, None) == was:
            setattr(config, key, model.width)
    groups = getattr(config, "num_key_value_heads", None)
    if groups is not None and model.heads % groups:
        config.num_key_value_heads = model.heads


def keep_layers(config: Any, layers: Sequence[int]) -> None:
    """Keep what a configuration says of each of these layers, and their number.

    ModernBERT's layers differ in what they attend to, and Longformer's in how far: a list with an entry for
    each layer says how. Layers beyond such a list repeat its last entry.
    """
    depth = config.num_hidden_layers
    for key in _EACH:
        value = vars(config).get(key)
        if isinstance(value, list | tuple) and len(value) == depth:
            setattr(config, key, [value[min(place, depth - 1)] for place in layers])
    if _has(config, "attention_types") and _has(config, "attention_layers"):  # GPT-Neo says it twice
        config.attention_types = [[[kind], 1] for kind in config.attention_layers]
    _set(config, "layers", _DEPTH, len(layers))


def read_sizes(config: Any) -> tuple[int, int, int, int]:
    """Return the layers, width, heads and feed-forward width of a configuration of `transformers`.

    Raises:
        ConfigError: if the family has no key for one of them.
    """
    found = []
    for name, keys in (
        ("layers", _DEPTH),
        ("width", _WIDTH),
        ("heads", _HEADS),
        ("feed-forward width", _FEED_FORWARD),
    ):
        key = next((key for key in keys if _has(config, key)), None)
        if key is None:
            raise ConfigError(
                f"{type(config).__name__} has none of {', '.join(keys)}: its {name} is not known"
            )
        found.append(int(getattr(config, key)))
    return found[0], found[1], found[2], found[3]


def check_sizes(network: Any, model: NarrowModel) -> None:
    """Hold a network against the sizes that it was to have; `network` is one of `transformers`, with a head.

    Raises:
        ConfigError: naming the size that its family made otherwise, or ignored.
    """
    layers = network.get_submodule(find_layers(network))
    widths = {size for part in layers.parameters() if part.ndim > 1 for size in part.shape}
    depth = (len(layers), network.config.num_hidden_layers)
    for name, has, size in (
        ("layers", depth == (model.layers,) * 2, model.layers),
        ("width", model.width in widths and network.config.hidden_size == model.width, model.width),
        ("feed_forward", model.feed_forward in widths, model.feed_forward),
    ):
        if not has:
            raise ConfigError(
                f"models/{model.name}.yaml: {name}: {size} has no effect on {type(network).__name__}, which "
                "has sizes of another kind; cut its layers instead (kind: transformer)"
            )


def _set(config: Any, name: str, keys: Sequence[str], size: int) -> None:
    found = [key for key in keys if _has(config, key)]
    if not found:
        raise ConfigError(
            f"{type(config).__name__} has none of {', '.join(keys)}, so that a student cannot be given its "
            f"{name}; take a student that is cut (kind: transformer) or static"
        )
    try:
        setattr(config, found[0], size)
    except (NotImplementedError, ValueError) as error:
        words = " ".join(str(error).split())
        raise ConfigError(f"{type(config).__name__}: {name} cannot be set: {words:.160}") from None


def _has(config: Any, key: str) -> bool:
    """Say whether a family has a key of its own, rather than an alias of another."""
    return key in vars(config) and key not in type(config).attribute_map
