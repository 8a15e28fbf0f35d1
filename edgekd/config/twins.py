"""Noisy twins of the test rows, as a project file asks for them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edgekd.config.base import Frozen

TwinKind = Literal[
    "typos", "truncated", "mixed-language", "repeated", "several", "look-alike", "instruction", "negation"
]


class TwinSlice(Frozen):
    """One kind of noise: a slice that is made of the test rows."""

    kind: TwinKind
    """What is done to the text; docs/data.md says what each kind is."""
    margin: float | None = Field(None, gt=0, le=100)
    """Largest drop against the clean rows that is good enough, in points; absent: the drop is shown only."""
