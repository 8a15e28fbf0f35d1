"""Array types of samples: dtype and axes, as jaxtyping writes them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, UInt32, UInt64

Nanoseconds = UInt64[np.ndarray, "call"]
"""How long each call took."""
CallNumbers = UInt32[np.ndarray, "call"]
"""The input, or the block, of each call."""
CallFlags = Bool[np.ndarray, "call"]
"""Whether each call is meant."""
