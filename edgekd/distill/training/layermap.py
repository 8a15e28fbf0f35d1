"""Which layer of the teacher each layer of a student learns from.

A map goes from student layer to teacher layer. Layers count from 1, 0 is the embeddings' output, as
in the `hidden_states` of transformers.
"""

from __future__ import annotations

from collections.abc import Mapping

from edgekd.errors import ConfigError

LayerMap = Mapping[int, int]


def uniform_map(student_layers: int, teacher_layers: int) -> dict[int, int]:
    """Spread the student's layers evenly over the teacher's: m learns from m * N / M, rounded up.

    Where M divides N this is TinyBERT's (Jiao, X. et al. 2020, arXiv:1909.10351). Rounded
    up, the last always learns from the last and none from the embeddings; a student deeper than its
    teacher has neighbours that learn from the same layer.

    >>> uniform_map(4, 12)
    {0: 0, 1: 3, 2: 6, 3: 9, 4: 12}
    >>> uniform_map(3, 4)
    {0: 0, 1: 2, 2: 3, 3: 4}
    """
    return {m: -(-m * teacher_layers // student_layers) for m in range(student_layers + 1)}


def check_map(layers: LayerMap, student_layers: int, teacher_layers: int) -> None:
    """Check a map that a person wrote; layers may be left out, but for at least one.

    Raises:
        ConfigError: if it names a layer that is not there, mixes embeddings with layers, crosses
            (a later layer would learn from an earlier one), or maps no layer at all.
    """
    for ours, theirs in layers.items():
        for whose, layer, depth in (("student", ours, student_layers), ("teacher", theirs, teacher_layers)):
            if not 0 <= layer <= depth:
                raise ConfigError(
                    f"layer map {dict(layers)}: the {whose} has layers 1 to {depth} and 0, its "
                    f"embeddings; there is no {layer}"
                )
        if (ours == 0) != (theirs == 0):
            raise ConfigError(f"layer map {dict(layers)}: 0, the embeddings, goes with 0 alone")
    targets = [layers[ours] for ours in sorted(layers)]
    if targets != sorted(targets):
        raise ConfigError(f"layer map {dict(layers)}: crosses; a later layer must learn from a later one")
    if not any(layers):
        raise ConfigError(f"layer map {dict(layers)}: maps no layer; name at least one, such as 1: 1")
