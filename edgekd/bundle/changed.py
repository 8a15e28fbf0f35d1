"""Texts whose answer the decision bias changes: what shows whether a port or a client adds the bias."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgekd.serving.loader import Model

_LOOKED_AT = 3000  # texts that are answered in search of some; a few milliseconds each at most


def find_changed(model: Model, texts: Iterable[str], most: int) -> list[str]:
    """Return up to `most` of the texts to which the model without its bias would give another label.

    At most the first 3,000 are looked at; a model without a bias answers none.
    """
    if not model.labels or model.calibration is None or not any(model.calibration.bias.values()):
        return []
    return list(islice((text for text in islice(texts, _LOOKED_AT) if _is_changed(model, text)), most))


def _is_changed(model: Model, text: str) -> bool:
    return bool(int(model.outputs([text])[0].argmax()) != model(text).label_index)
