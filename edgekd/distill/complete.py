"""Whether a checkpoint holds what its model asks for: else layers are made up, or left out, in silence."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from edgekd.errors import ConfigError

# Whole numbers that older versions of `transformers` saved, and a layer that many classes have no use for.
_NO_WEIGHTS = ("position_ids", "token_type_ids", "inv_freq")
_UNUSED = "pooler"
_SHOWN = 3


def check_weights(location: str, model: Any, found: Mapping[str, Any], *, new_head: bool) -> None:
    """Hold a loaded model against what `transformers` found in its checkpoint (`output_loading_info`).

    With a new head what stands on the encoder may be missing, be of another shape, or be left over; the
    encoder itself may not, but for a pooler.

    Raises:
        ConfigError: naming what is missing, of another shape, or left over.
    """
    inside = f"{model.base_model_prefix}."
    parts = {name for name, _ in model.base_model.named_children()}

    def counts(name: str) -> bool:
        is_encoder = name.startswith(inside) or name.partition(".")[0] in parts
        return not new_head or (is_encoder and _UNUSED not in name)

    shapes = {name: (tuple(own), tuple(asked)) for name, own, asked in found["mismatched_keys"]}
    lacking = sorted(name for name in found["missing_keys"] if counts(name))
    other = sorted(name for name in shapes if counts(name))
    left = sorted(
        name for name in found["unexpected_keys"] if counts(name) and not _may_be_left(name, inside)
    )
    outputs = getattr(model.config, "num_labels", None)
    for name in other:
        own, asked = shapes[name]
        if own[:1] != asked[:1] and asked[:1] == (outputs,) and not name.startswith(inside):
            raise ConfigError(
                f"{location}: config.json names {outputs} outputs ({_list(_names(model))}), and its head "
                f"{name} has {own[0] if own else 'no'}; expected one name each in id2label"
            )
    wrong = [
        *([f"the weights lack {_list(lacking)}"] if lacking else []),
        *([f"{name} has the shape {shapes[name][0]}, not {shapes[name][1]}" for name in other[:_SHOWN]]),
        *([f"nothing reads {_list(left)}"] if left else []),
    ]
    if wrong:
        raise ConfigError(
            f"{location}: its weights are not those of a {type(model).__name__} as config.json describes it: "
            f"{'; '.join(wrong)}; save the trained model again with save_pretrained"
        )


def _may_be_left(name: str, inside: str) -> bool:
    return name.endswith(_NO_WEIGHTS) or name.removeprefix(inside).startswith(f"{_UNUSED}.")


def _names(model: Any) -> list[str]:
    return [str(name) for name in (model.config.id2label or {}).values()]


def _list(names: Collection[str]) -> str:
    """Name the first three, and say how many more there are.

    >>> _list(["a", "b"]), _list(["a", "b", "c", "d", "e"])
    ('a, b', 'a, b, c and 2 more')
    """
    shown: Iterable[str] = list(names)[:_SHOWN]
    more = len(names) - _SHOWN
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
