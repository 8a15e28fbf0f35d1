"""How the traffic is followed, and when a lesson is renewed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from edgekd.config.base import Frozen


class Signal(Frozen):
    """Something that logs say of a row, of which the share is followed."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name in alarms."""
    where: str
    """SQL predicate over the logs' columns: the rows that are counted, as `claim = 'contradicted'`."""
    among: str = "true"
    """SQL predicate: the rows of which they are a share, as `claim is not null`."""


class Curate(Frozen):
    """What `edgekd refresh` follows in logs; changes no other result."""

    by: tuple[str, ...] = ()
    """Columns whose values divide the traffic, as `language`: each value is followed like a slice."""
    signals: tuple[Signal, ...] = ()
    """What else is followed, beside slices, texts, answers and values."""
    fresh: str | None = None
    """SQL predicate: the requests about new matter, as titles of the last 60 days."""
    kinds: dict[str, str] = Field(default_factory=dict)
    """Kinds of rows that a test set must hold, as predicates: long tail, rare policy, locale, device, high
    value, safety."""
    least_rows: int = Field(100, ge=1, le=1_000_000)
    """How many rows each kind and slice should have in a test set, and in a lesson."""
    rare: float = Field(0.001, gt=0, lt=1)
    """Rate of a failure that is rare and yet has to be seen."""
    margin: Annotated[float, Field(gt=0, le=100)] = 2.0
    """The largest change of a share or a mean that does not matter, in points."""
    false_alarms: float = Field(0.1, gt=0, le=10)
    """Expected number of false alarms in 90 days, at most."""
    half_life_days: float = Field(180, gt=0, le=100_000)
    """After how many days a training row counts half."""
    window_days: int | None = Field(None, ge=1, le=100_000)
    """Training rows older than this are left out of the next lesson; absent: all stay, and count less."""
