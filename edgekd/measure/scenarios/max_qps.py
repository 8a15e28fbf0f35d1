"""The highest request rate that holds a limit on p95."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekd.errors import BadInputError
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.scenarios.server import SERVER_PLAN, measure_server
from edgekd.measure.scenarios.server_result import ServerResult, save_document
from edgekd.measure.session import measure_subjects
from edgekd.measure.subject import Subject
from edgekd.stats.interval import Interval
from edgekd.stats.percentiles import min_samples

SEARCH_FILE_NAME = "max-qps.json"
# Of the closed loop that says where the search starts.
_SERVICE_ROUNDS, _SERVICE_SECONDS = 2, 0.3
# Requests of a probe at a low rate, over those without which a p95 is not stated.
_SPARE = 1.5
# Below this share of what the service time allows, a rate that holds is not looked for.
_MIN_SHARE = 0.05
# The next rate where even the first one holds: calls were faster than they had been in the closed loop.
_FASTER = 1.25


@dataclass(frozen=True)
class Probe:
    """One rate that was tried.

    Attributes:
        p95_ms: None if overloaded, or with too few requests.
        holds: whether the upper end of p95 is within the limit.
        folder: where its result and samples lie, relative to the search's folder.
    """

    qps: float
    p95_ms: Interval | None
    is_overloaded: bool
    holds: bool
    folder: str


@dataclass(frozen=True)
class MaxQps:
    """The highest rate that was found to hold a limit on p95.

    Attributes:
        holds_qps: the highest probed rate that holds; None if none did.
        fails_qps: the lowest probed rate that does not, above `holds_qps`; None if none was probed.
        capacity_qps: 1 / mean service time in a closed loop; no queue can hold more.
        resolution: the share of `fails_qps` that the two rates were to come within.
        probes: in the order they were made.
        reason: why the search ended.
    """

    subject: str
    limit_ms: float
    holds_qps: float | None
    fails_qps: float | None
    capacity_qps: float
    resolution: float
    probes: tuple[Probe, ...]
    seconds: float
    reason: str

    @property
    def verdict(self) -> str:
        """Say in one sentence what holds and what does not."""
        limit = f"p95 within {self.limit_ms:g} ms"
        holds = "at no rate that was probed" if self.holds_qps is None else f"at {self.holds_qps:.4g} QPS"
        fails = "" if self.fails_qps is None else f", does not at {self.fails_qps:.4g} QPS"
        return f"{self.subject} holds {limit} {holds}{fails} ({self.reason})"


def find_max_qps(
    subject: Subject,
    inputs: Sequence[str],
    folder: Path,
    p95_limit_ms: float,
    plan: MeasurePlan = SERVER_PLAN,
    *,
    resolution: float = 0.05,
    budget_seconds: float = 120.0,
) -> MaxQps:
    """Find the highest rate at which the upper end of p95's interval is within the limit, by bisection.

    Starts from what the mean service time allows, and halves the way between a rate that holds and one that
    does not. Every probe is a `measure_server` of `plan`, longer at rates where that gives too few requests;
    all share their seeds, so that a lower rate meets the same arrivals, only slower. Samples are kept, a
    folder a probe, and the search in `max-qps.json`; an earlier search there is replaced. No probe is
    started that would probably end after `budget_seconds`; one alone may.
    """
    if not (p95_limit_ms > 0 and 0 < resolution < 1 and budget_seconds > 0):
        raise BadInputError(
            f"expected p95_limit_ms > 0, 0 < resolution < 1, budget_seconds > 0; got {p95_limit_ms:g}, "
            f"{resolution:g}, {budget_seconds:g}"
        )
    (folder / SEARCH_FILE_NAME).unlink(missing_ok=True)
    for earlier in folder.glob("probe-[0-9][0-9]"):
        shutil.rmtree(earlier)
    began = time.monotonic()
    service_plan = dataclasses.replace(plan, rounds=_SERVICE_ROUNDS, seconds=_SERVICE_SECONDS, precision=None)
    alone = measure_subjects([subject], inputs, folder / "service", service_plan)
    startup_seconds = (time.monotonic() - began) / _SERVICE_ROUNDS - _SERVICE_SECONDS
    calls = np.concatenate([samples.ns for samples in alone.samples(subject.name)])
    capacity, alone_ms = 1e9 / float(calls.mean()), float(np.quantile(calls, 0.95)) / 1e6
    holds: float | None = None
    fails: float | None = None
    probes: list[Probe] = []
    rate = capacity
    while True:
        if alone_ms > p95_limit_ms:
            reason = f"a call alone takes {alone_ms:.3g} ms at p95"
            break
        if fails is not None and fails - (holds or 0.0) <= resolution * fails:
            reason = f"known within {resolution:.1%}"
            break
        if rate < _MIN_SHARE * capacity:
            reason = f"nothing holds down to {_MIN_SHARE:.0%} of what the service time allows"
            break
        enough_seconds = _SPARE * min_samples(0.95) / plan.rounds / rate
        probe_plan = dataclasses.replace(plan, seconds=max(plan.seconds, enough_seconds))
        lasts = plan.rounds * (startup_seconds + plan.warmup_seconds + probe_plan.seconds)
        if probes and time.monotonic() - began + lasts > budget_seconds:
            reason = f"the budget of {budget_seconds:g} s"
            break
        name = f"probe-{len(probes) + 1:02}"
        probes.append(
            _judge(measure_server(subject, inputs, folder / name, rate, probe_plan), p95_limit_ms, name)
        )
        if probes[-1].holds:
            holds = rate
        else:
            fails = rate
        rate = _FASTER * rate if fails is None else ((holds or 0.0) + fails) / 2
    found = MaxQps(
        *(subject.name, p95_limit_ms, holds, fails, capacity, resolution, tuple(probes)),
        *(time.monotonic() - began, reason),
    )
    save_document(folder / SEARCH_FILE_NAME, dataclasses.asdict(found))
    return found


def _judge(result: ServerResult, limit_ms: float, folder: str) -> Probe:
    p95 = result.latency(0.95)
    if p95 is None:
        return Probe(result.qps, None, result.is_overloaded, False, folder)
    in_ms = Interval(p95.estimate / 1e6, p95.low / 1e6, p95.high / 1e6, p95.confidence)
    return Probe(result.qps, in_ms, result.is_overloaded, in_ms.high <= limit_ms, folder)
