"""Array types of this package: dtype and axes, checked where jaxtyping is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
else:
    try:
        from jaxtyping import Bool, Float, Int
    except ModuleNotFoundError:  # only the tests check shapes; the base install does without

        class _Unchecked:
            def __class_getitem__(cls, item: tuple[Any, str]) -> Any:
                return item[0]

        Bool = Float = Int = _Unchecked

Scores = Float[np.ndarray, "example label"]
"""Logits or probabilities, one row an example."""
Labels = Int[np.ndarray, "example"]
"""Index of a label, one an example."""
Flags = Bool[np.ndarray, "example"]
"""Whether an example is in a slice."""
Hits = Bool[np.ndarray, "row"]
"""Whether a row of one slice is a hit."""
Classes = Int[np.ndarray, "class"]
"""Indices of some of the labels."""
