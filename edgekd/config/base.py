"""The base of every configuration model."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

MOST_THREADS = 1024
"""Few machines have more processors; the runtimes start as many threads as they are told to."""
MOST_SEED = 2**63 - 1
"""Seeds are 64-bit integers wherever they are used."""
MOST_ROWS = 100_000_000
"""Of tables, batches and texts: beyond it a number is a slip, and memory would end first."""
MOST_WIDTH = 65_536
"""Of a layer, in numbers; ten times what the widest published encoders have."""


class Frozen(BaseModel):
    """Frozen, forbids unknown keys, and documents a field by the string under it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)
