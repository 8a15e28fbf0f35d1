"""Why an artifact was taken back, and which test rows had not shown it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from edgekd.evaluate.record import Record

By = Literal["live traffic", "a person", "a verdict"]
WHOLE = "overall"
"""The slice of all rows: what is meant where nobody names a slice."""


@dataclass(frozen=True)
class Harm(Record):
    """What a rollback, a withdrawal or a promotion says of the artifact that it replaces.

    `slices` names every harmed slice. Its value is the sha256 of the list of test rows that the target had
    been judged on in that slice by then (`edgekd.gate.rows`); the list is an object of the registry. An empty
    value says that no rows are known, or that rows say nothing of it, as of latency: then only a person's
    word brings the artifact back.
    """

    by: By
    reason: str
    slices: Mapping[str, str] = field(default_factory=dict)
