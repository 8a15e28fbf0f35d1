"""Requests that arrive at random, and what each one met."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekd.measure.arrays import CallNumbers, Nanoseconds
from edgekd.measure.samples import read_samples
from edgekd.measure.scenarios.arrivals_worker import DUE, LATENCY, SAMPLES_PER_REQUEST, SERVICE


@dataclass(frozen=True)
class Requests:
    """The requests of one process in order of arrival; those of the lead-in are not among them.

    Attributes:
        due_ns: scheduled arrival, from the schedule's start.
        latency_ns: from the scheduled arrival to the answer.
        service_ns: the call alone.
        inputs: position of the answered text among the inputs.
    """

    due_ns: Nanoseconds
    latency_ns: Nanoseconds
    service_ns: Nanoseconds
    inputs: CallNumbers

    def __len__(self) -> int:
        return len(self.due_ns)

    @property
    def wait_ns(self) -> Nanoseconds:
        """Time from the scheduled arrival to the call: in the queue, and what the timer was late."""
        wait: Nanoseconds = self.latency_ns - self.service_ns
        return wait

    @property
    def timer_error_ns(self) -> Nanoseconds:
        """How late the call began for the requests that found the server idle."""
        free = np.maximum.accumulate(self.due_ns + self.latency_ns)
        return self.wait_ns[1:][self.due_ns[1:] > free[:-1]]


def draw_arrivals(qps: float, seconds: float, seed: str) -> list[int]:
    """Draw a Poisson process: arrivals in ns from the start, exponential gaps of 1 / `qps` on average.

    Gaps scale with the rate, so that with one seed all rates are the same process at another speed.

    >>> len(draw_arrivals(100.0, 1.0, "0")) in range(60, 140)
    True
    """
    rng = random.Random(seed)
    arrivals: list[int] = []
    at = rng.expovariate(1.0) / qps
    while at < seconds:
        arrivals.append(max(1, int(at * 1e9)))  # 0 marks room that was not filled
        at += rng.expovariate(1.0) / qps
    return arrivals


def read_requests(path: Path) -> Requests:
    """Read what a process wrote; raises BadInputError if it cannot be read."""
    samples = read_samples(path)
    whole = len(samples) // SAMPLES_PER_REQUEST * SAMPLES_PER_REQUEST
    due, latency, service = (samples.ns[kind:whole:SAMPLES_PER_REQUEST] for kind in (DUE, LATENCY, SERVICE))
    return Requests(due, latency, service, samples.inputs[:whole:SAMPLES_PER_REQUEST])
