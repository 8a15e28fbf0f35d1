"""The students that a cost model is fitted to: spread over layers, widths, vocabularies and tables.

Few, because each is exported, compiled for every build of a target and measured; far apart, so that what is
asked about later lies between them.
"""

from __future__ import annotations

from edgekd.config import NarrowModel, StaticModel, StudentModel, TransformerModel
from edgekd.config.ranges import spread_layers

_NARROW = (
    # layers, width, heads, feed-forward, vocabulary, pairs
    (1, 64, 2, 256, 4096, 0),
    (2, 128, 4, 512, 8192, 0),
    (6, 96, 2, 384, 4096, 0),
    (4, 192, 4, 1024, 8192, 0),
    (3, 320, 8, 768, 12288, 0),
    (2, 128, 2, 256, 4096, 8192),
)
_CUT = ((1, 4096), (3, 12288))
"""Layers of the teacher, vocabulary."""
_STATIC = (
    # dimension, pairs, hidden, vocabulary
    (64, 4096, 128, 4096),
    (128, 16384, 512, 8192),
    (256, 4096, 256, 16384),
    (384, 16384, 512, 4096),
    (320, 4096, 768, 8192),
    (512, 8192, 1024, 8192),
)
_MAX_TOKENS = 128


def design_models(depth: int, *, with_pairs: bool = True) -> tuple[StudentModel, ...]:
    """List the students; `depth` is the teacher's layers. Pairs beside a network are for classes alone."""
    found: list[StudentModel] = []
    for layers, width, heads, feed_forward, vocabulary, pairs in _NARROW:
        if pairs and not with_pairs:
            continue
        found.append(
            NarrowModel(
                kind="narrow",
                name="narrow",
                layers=layers,
                width=width,
                heads=heads,
                feed_forward=feed_forward,
                vocabulary=vocabulary,
                pairs=pairs,
                max_tokens=_MAX_TOKENS,
            )
        )
    for count, vocabulary in _CUT:
        layers_kept = spread_layers(min(count, depth), depth, "")
        found.append(
            TransformerModel(
                kind="transformer",
                name="cut",
                layers=layers_kept,
                vocabulary=vocabulary,
                max_tokens=_MAX_TOKENS,
            )
        )
    for dimension, pairs, hidden, vocabulary in _STATIC:
        found.append(
            StaticModel(
                kind="static",
                name="static",
                dimension=dimension,
                pairs=pairs,
                hidden=hidden,
                vocabulary=vocabulary,
                max_tokens=_MAX_TOKENS,
            )
        )
    return tuple(map(untaught, found))


def untaught(model: StudentModel) -> StudentModel:
    """Return a student as its cost sees it: named after its sizes, without its training.

    Two students that differ in how they are taught cost the same, and are made and measured once.
    """
    if model.kind == "static":
        sizes = {"d": model.dimension, "u": model.hidden}
    elif model.kind == "narrow":
        sizes = {"l": model.layers, "w": model.width, "h": model.heads, "f": model.feed_forward}
    else:
        sizes = {"l": len(model.layers)}
    sizes |= {"v": model.vocabulary, "p": model.pairs, "t": model.max_tokens}
    kind = "cut" if model.kind == "transformer" else model.kind
    name = "-".join([kind, *(f"{size}{letter}" for letter, size in sizes.items())])
    known = {"name", "training", "lora"} & set(type(model).model_fields)
    fresh = {key: type(model).model_fields[key].get_default() for key in known if key != "name"}
    if model.kind == "transformer":  # which of the teacher's layers they are changes no time
        fresh["layers"] = tuple(range(len(model.layers)))
    return model.model_copy(update={**fresh, "name": name})
