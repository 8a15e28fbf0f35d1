"""Absolute limits of a job: p95 and peak memory, as they are asked for or as a target has them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from edgekd.config import Target
from edgekd.errors import BadInputError
from edgekd.gate.check import Check, combine
from edgekd.gate.checks import (
    check_artifact_mib,
    check_cold_start_ms,
    check_p95_ms,
    check_peak_rss_mib,
)
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.result import BenchResult
from edgekd.stats.interval import Interval

# Six processes of so many calls each give more than the 130 that a p95 needs; a slow call ends it sooner.
_CALLS, _MOST_SECONDS = 30, 10.0
_TOO_FEW = "too few calls or processes to know it; give it more time"


@dataclass(frozen=True)
class JobLimits:
    """What an artifact may not exceed; None is not checked.

    Raises:
        BadInputError: a limit that is not above 0.
    """

    p95_ms: float | None = None
    memory_mib: float | None = None
    cold_start_ms: float | None = None
    artifact_mib: float | None = None

    def __post_init__(self) -> None:
        for name, unit in (("p95_ms", "milliseconds"), ("memory_mib", "MiB")):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                option = f"--{name.replace('_', '-')}"
                raise BadInputError(f"{option}: expected {unit} above 0, got {value:g}")

    def over(self, target: Target | None) -> JobLimits:
        """Return these limits, and a target's where these say nothing."""
        if target is None:
            return self
        own = target.limits
        return JobLimits(
            own.p95_ms if self.p95_ms is None else self.p95_ms,
            own.peak_rss_mib if self.memory_mib is None else self.memory_mib,
            own.cold_start_ms if self.cold_start_ms is None else self.cold_start_ms,
            own.artifact_mib if self.artifact_mib is None else self.artifact_mib,
        )


NO_LIMITS = JobLimits()


def check_limits(
    limits: JobLimits, result: BenchResult, name: str, artifact_bytes: int, recipe: str = ""
) -> tuple[Check, ...]:
    """Hold one measured subject against limits, by the pessimistic end of each interval as the gate does."""
    checks = []
    if limits.p95_ms is not None:
        p95 = result.percentile(name, 0.95)
        in_ms = p95 and Interval(p95.estimate / 1e6, p95.low / 1e6, p95.high / 1e6, p95.confidence)
        checks.append(check_p95_ms(in_ms, limits.p95_ms, _TOO_FEW))
    if limits.memory_mib is not None:
        checks.append(check_peak_rss_mib(result.peak_rss_bytes(name), limits.memory_mib))
    if limits.cold_start_ms is not None:
        checks.append(check_cold_start_ms(result.cold_start_ms(name), limits.cold_start_ms, _TOO_FEW))
    if limits.artifact_mib is not None:
        checks.append(check_artifact_mib(artifact_bytes, limits.artifact_mib, recipe))
    return tuple(checks)


def plan_longer(limits: JobLimits, result: BenchResult, name: str) -> MeasurePlan | None:
    """Return a plan to measure p95 by, where a limit asks for it and the result does not tell.

    It had too few calls, or fewer rounds than a measurement has and an interval that spans the limit.
    """
    if limits.p95_ms is None:
        return None
    p95, rounds = result.percentile(name, 0.95), len(result.subject(name).processes)
    if p95 is not None:
        is_told = not p95.low <= limits.p95_ms * 1e6 < p95.high
        if is_told or rounds >= MeasurePlan().rounds:
            return None
    call_ns = max(float(part.ns.mean()) for part in result.samples(name))
    seconds = min(_MOST_SECONDS, max(MeasurePlan().seconds, _CALLS * call_ns / 1e9))
    return replace(MeasurePlan(), threads=result.plan.threads, seconds=seconds)


def limit_line(check: Check) -> str:
    """Say one check in a line.

    Example:
        "p95_ms: fail: 3.1 ms (2.9 ms to 3.3 ms), the limit is 2 ms: the whole interval is above the limit"
    """
    return f"{check.name}: {check.status}: {check.found}, the limit is {check.limit}: {check.reason}"


def holds(checks: tuple[Check, ...]) -> bool:
    """Tell whether every limit is shown to hold; what cannot be told does not hold."""
    return combine(checks) == "pass"
