"""What an open-loop server showed: latencies from the scheduled arrival, and what makes them doubtful."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekd.measure.arrays import Nanoseconds
from edgekd.measure.audit import is_same, read_answers
from edgekd.measure.environment import Environment
from edgekd.measure.noise import MAX_RUN_DELAY_SHARE
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.process_bench import Scheduling
from edgekd.measure.scenarios.buckets import Bucket, Buckets, check_inputs
from edgekd.measure.scenarios.requests import Requests, read_requests
from edgekd.stats.interval import Interval
from edgekd.stats.percentiles import pooled_percentile

FORMAT_VERSION = 1
# Later than this, and a latency is the timer's as much as the subject's.
MAX_TIMER_ERROR_NS = 200_000
_AGAIN = "stop other work on the machine and measure again"


@dataclass(frozen=True)
class ServerProcess:
    """One fresh process that met one schedule.

    Attributes:
        samples: three a request (arrivals_worker.py says which), a file relative to the result's folder.
        warmup: calls of the closed loop before, likewise.
        answers: the last answer to each input, likewise.
        arrived: requests in the schedule, those of the lead-in included.
        answered: those that were answered.
        is_complete: False if a request waited longer than allowed, where the process ended.
        has_exact_timer: whether the kernel was to end sleeps on time.
    """

    round: int
    samples: str
    warmup: str
    answers: str
    arrived: int
    answered: int
    is_complete: bool
    elapsed_ns: int
    has_exact_timer: bool
    scheduling: Scheduling


@dataclass(frozen=True)
class ServerLatency:
    """What requests of one bucket met, in ns; None with too few requests or processes, or if overloaded.

    Attributes:
        bucket: None for all requests together.
    """

    bucket: Bucket | None
    requests: int
    p50: Interval | None
    p95: Interval | None
    p99: Interval | None
    service_p50: Interval | None
    service_p95: Interval | None


@dataclass(frozen=True)
class ServerResult:
    """A subject under requests at `qps`, on average, as a Poisson process.

    Attributes:
        cores: what the processes were pinned to.
        flags: what makes the figures doubtful, each with what to do about it.
        folder: where the raw samples lie; not part of the stored result.
    """

    subject: str
    factory: str
    args: tuple[str, ...]
    qps: float
    max_wait_ms: float
    environment: Environment
    cores: tuple[int, ...]
    plan: MeasurePlan
    inputs: int
    inputs_sha256: str
    processes: tuple[ServerProcess, ...]
    flags: tuple[str, ...]
    folder: Path

    @functools.cached_property
    def requests(self) -> tuple[Requests, ...]:
        """The requests of each process."""
        return tuple(read_requests(self.folder / process.samples) for process in self.processes)

    @property
    def utilisation(self) -> float:
        """The offered load: rate times mean service time. From 1 on the queue grows without end."""
        service = np.concatenate([part.service_ns for part in self.requests])
        return self.qps * float(service.mean()) / 1e9 if len(service) else 0.0

    @property
    def is_overloaded(self) -> bool:
        """Whether requests arrived faster than they could be answered: there is no latency to state."""
        return not all(process.is_complete for process in self.processes) or self.utilisation >= 1.0

    def latency(self, q: float) -> Interval | None:
        """Estimate percentile `q` of the latency in ns; None with too few requests, or if overloaded."""
        return self._percentile([part.latency_ns for part in self.requests], q)

    def service(self, q: float) -> Interval | None:
        """Estimate percentile `q` of the calls alone in ns; None as `latency` is."""
        return self._percentile([part.service_ns for part in self.requests], q)

    def timer_error_ns(self, q: float) -> float | None:
        """Return percentile `q` of how late calls began that found the server idle; None if none did."""
        errors = np.concatenate([part.timer_error_ns for part in self.requests])
        return float(np.quantile(errors, q)) if len(errors) else None

    def by_bucket(self, buckets: Buckets) -> tuple[ServerLatency, ...]:
        """Derive latencies for all requests, then for those of each bucket.

        Raises:
            BadInputError: if the buckets are of other texts.
        """
        check_inputs(buckets, self.inputs_sha256)
        everything = np.ones(self.inputs, dtype=np.bool_)
        found = []
        for bucket in (None, *buckets.buckets):
            keep = everything if bucket is None else buckets.members(bucket)
            kept = [keep[part.inputs] for part in self.requests]
            latency = [part.latency_ns[marks] for part, marks in zip(self.requests, kept, strict=True)]
            service = [part.service_ns[marks] for part, marks in zip(self.requests, kept, strict=True)]
            found.append(
                ServerLatency(
                    bucket,
                    sum(map(len, latency)),
                    *(self._percentile(latency, q) for q in (0.5, 0.95, 0.99)),
                    *(self._percentile(service, q) for q in (0.5, 0.95)),
                )
            )
        return tuple(found)

    def _percentile(self, processes: Sequence[Nanoseconds], q: float) -> Interval | None:
        if self.is_overloaded or not all(map(len, processes)):
            return None
        return pooled_percentile(processes, q, self.plan.confidence)


def find_server_flags(result: ServerResult) -> Iterator[str]:
    """List what makes a result doubtful, each with what to do about it."""
    if result.is_overloaded:
        ended = [process for process in result.processes if not process.is_complete]
        seen = (
            f"a request waited over {result.max_wait_ms:g} ms after {ended[0].answered} of {ended[0].arrived}"
            if ended
            else f"the load is {result.utilisation:.0%}"
        )
        yield f"overloaded at {result.qps:.4g} QPS: {seen}; lower the rate"
    late = result.timer_error_ns(0.95)
    if late is not None and late > MAX_TIMER_ERROR_NS:
        yield f"5 % of calls began over {late / 1e3:.0f} us late on an idle server: {_AGAIN}"
    elapsed = sum(process.elapsed_ns for process in result.processes)
    waited = sum(process.scheduling.run_delay_ns or 0 for process in result.processes)
    if waited > MAX_RUN_DELAY_SHARE * elapsed:
        yield f"the process waited for its core {waited / elapsed:.0%} of the time: {_AGAIN}"
    answers = [read_answers(result.folder / process.answers).timed for process in result.processes]
    if any(
        one is not None and other is not None and not is_same(one, other)
        for others in answers[1:]
        for one, other in zip(answers[0], others, strict=True)
    ):
        yield "answers differ between processes: seed the subject; its latency may be of different work"


def save_document(path: Path, document: dict[str, Any]) -> None:
    """Write a result; at any moment the file is the old one or the new one."""
    document.pop("folder", None)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(
        json.dumps({"format": FORMAT_VERSION, **document}, indent=1) + "\n", encoding="utf-8"
    )
    temporary.replace(path)
