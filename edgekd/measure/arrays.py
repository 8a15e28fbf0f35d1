"""Array types of samples: dtype and axes, checked where jaxtyping is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Bool, UInt32, UInt64
else:
    try:
        from jaxtyping import Bool, UInt32, UInt64
    except ModuleNotFoundError:  # only the tests check shapes; the base install does without

        class _Unchecked:
            def __class_getitem__(cls, item: tuple[Any, str]) -> Any:
                return item[0]

        Bool = UInt32 = UInt64 = _Unchecked

Nanoseconds = UInt64[np.ndarray, "call"]
"""How long each call took."""
CallNumbers = UInt32[np.ndarray, "call"]
"""The input, or the block, of each call."""
CallFlags = Bool[np.ndarray, "call"]
"""Whether each call is meant."""
