"""What all events of a log have in common.

Rates are in 0..1, durations carry their unit. A field that a task has no meaning for is absent in the
file, never null; in memory it is None.
"""

from __future__ import annotations

import time
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

VERSION = 1

Rate = Annotated[float, Field(ge=0, le=1)]


def now() -> float:
    """Seconds since 1970, UTC."""
    return time.time()


class FrozenPart(BaseModel):
    """An event, or a part of one."""

    # A number that is not finite is written as a string: JSON has none, and null would say "no meaning".
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, ser_json_inf_nan="strings")


class Event(FrozenPart):
    """Base of events: `time` is seconds since 1970, UTC."""

    version: int = Field(VERSION, ge=1, le=VERSION)
    time: float = Field(default_factory=now)
