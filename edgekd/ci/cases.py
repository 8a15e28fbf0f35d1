"""What a job shows beside its comparisons: limits, what could not be measured, and what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edgekd.ci.limits import limit_line
from edgekd.gate.check import Check
from edgekd.measure.result import BenchResult

CaseOutcome = Literal["passed", "failed", "error", "skipped"]


@dataclass(frozen=True)
class JobCase:
    """One case of a job.

    Attributes:
        subject: What it is of: an artifact's name or its place, or the whole job.
        name: What was asked of it, such as `p95_ms`.
        line: What was found.
    """

    subject: str
    name: str
    outcome: CaseOutcome
    line: str


@dataclass(frozen=True)
class Alone:
    """An artifact that was measured without a baseline: its name in the result, and the result in a line."""

    name: str
    result: BenchResult
    line: str


def limit_cases(subject: str, checks: Sequence[Check]) -> list[JobCase]:
    """Make a case of each limit; one that is not shown to hold fails."""
    return [
        JobCase(subject, check.name, "passed" if check.passes else "failed", limit_line(check))
        for check in checks
    ]
