"""Hand our samples to pytest-benchmark, so that its table, storage, JSON and comparisons are of them.

Written against pytest-benchmark 5.3: `Benchmark` is all that is used of it. What is private there has no
public stand-in: its own entry points time a Python function in this process, and nothing else fills its
statistics.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

from edgekd.ci.line import verdict_words
from edgekd.errors import BadInputError
from edgekd.measure.compare import Comparison
from edgekd.measure.result import BenchResult
from edgekd.stats.interval import Interval


class Benchmark(Protocol):
    """The part of pytest-benchmark's `benchmark` fixture that is used."""

    enabled: bool
    has_error: bool
    extra_info: dict[str, Any]
    _mode: str | None

    def _make_stats(self, iterations: int) -> Any: ...


def claim_benchmark(benchmark: Benchmark) -> None:
    """Take a test's one benchmark, as pytest-benchmark's own calls do.

    Raises:
        BadInputError: if the test has measured already.
    """
    if benchmark._mode:
        benchmark.has_error = True
        raise BadInputError(
            f"this test measured already, by {benchmark._mode}; one measurement a test: parametrize it"
        )
    benchmark._mode = "edgekd_benchmark(...)"


def feed_benchmark(
    benchmark: Benchmark, name: str, result: BenchResult, comparison: Comparison | None
) -> None:
    """Add every timed call of subject `name` in seconds; what statistics cannot say is extra info."""
    stats = benchmark._make_stats(1)
    stats.options = {"timer": "perf_counter_ns in fresh processes", **dataclasses.asdict(result.plan)}
    for samples in result.samples(name):
        for ns in samples.ns.tolist():
            stats.update(ns / 1e9)
    benchmark.extra_info.update(
        artifact=name,
        verdict="no baseline" if comparison is None else verdict_words(comparison),
        p50_ms=_in_ms(result.percentile(name, 0.5)),
        p95_ms=_in_ms(result.percentile(name, 0.95)),
        peak_rss_bytes=result.peak_rss_bytes(name),
        rounds=len(result.subject(name).processes),
        environment_sha256=result.environment.fingerprint,
        flags=list(result.flags),
    )
    if comparison is not None:
        benchmark.extra_info.update(
            baseline=comparison.baseline,
            p50_ratio=_as_dict(comparison.p50.ratio),
            p95_ratio=_as_dict(comparison.p95.ratio),
        )


def _in_ms(ns: Interval | None) -> dict[str, float] | None:
    if ns is None:
        return None
    return _as_dict(Interval(ns.estimate / 1e6, ns.low / 1e6, ns.high / 1e6, ns.confidence))


def _as_dict(interval: Interval | None) -> dict[str, float] | None:
    return None if interval is None else dataclasses.asdict(interval)
