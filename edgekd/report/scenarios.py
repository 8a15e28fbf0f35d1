"""Throughput, the highest request rate, the least memory, instruction counts: lines, and for machines."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from edgekd.measure.counting.result import CountChange, InstructionCount
from edgekd.measure.memory.floor import MemoryFloor
from edgekd.measure.scenarios.buckets import Bucket
from edgekd.measure.scenarios.max_qps import MaxQps
from edgekd.measure.scenarios.server_result import ServerLatency
from edgekd.report.bench import print_ns
from edgekd.report.printing import print_bytes
from edgekd.stats.interval import Interval

OfflineRates = Sequence[tuple[str, Interval]]
"""Which texts, and how many of them a second."""
# Where no target says what p95 may be.
LIMIT_MS = 20.0


def name_mode(streams: int) -> str:
    """Say how an artifact is run.

    >>> name_mode(1), name_mode(2)
    ('latency mode', 'throughput mode, 2 streams')
    """
    return "latency mode" if streams == 1 else f"throughput mode, {streams} streams"


def offline(found: OfflineRates, mode: str) -> tuple[list[str], Any]:
    """Say the throughput when all texts are there at once, over all of them and by length, in which mode."""
    lines, documents = [], []
    for words, rate in found:
        ends = f"[{rate.low:,.0f}-{rate.high:,.0f}]"
        lines.append(f"  offline, {mode}, {words}: {rate.estimate:,.0f} texts a second {ends}")
        documents.append(
            {
                "mode": mode,
                "texts": words,
                "texts_per_second": rate.estimate,
                "low": rate.low,
                "high": rate.high,
            }
        )
    return lines, documents


def modes(rate: Interval, ratio: Interval, threads: int) -> tuple[list[str], Any]:
    """Say the throughput of the latency mode beside it, and how many times that the throughput mode's is."""
    line = (
        f"  offline, latency mode, all texts, {threads} threads: {rate.estimate:,.0f} texts a second "
        f"[{rate.low:,.0f}-{rate.high:,.0f}]; the throughput mode answers {ratio.estimate:.2f} times as many "
        f"[{ratio.low:.2f}-{ratio.high:.2f}]"
    )
    shown = {"texts_per_second": rate.estimate, "low": rate.low, "high": rate.high}
    ratios = {"ratio": ratio.estimate, "ratio_low": ratio.low, "ratio_high": ratio.high}
    return [line], {"mode": "latency mode", "texts": "all texts", "threads": threads, **shown, **ratios}


def server(found: MaxQps, qps: float, by_length: Sequence[ServerLatency]) -> tuple[list[str], Any]:
    """Say the highest rate that holds the limit on p95, each that was tried, and a usual load by length."""
    lines = [f"  server: {found.verdict}"]
    for probe in found.probes:
        p95 = "overloaded" if probe.p95_ms is None else f"p95 {probe.p95_ms.estimate:.2f} ms"
        lines.append(f"    {probe.qps:,.0f} QPS: {p95}, {'holds' if probe.holds else 'does not hold'}")
    for latency in by_length:
        lines.append(f"    at {qps:,.0f} QPS, {lengths_of(latency.bucket)}: p50 {print_ns(latency.p50)}  "
                     f"p95 {print_ns(latency.p95)}  p99 {print_ns(latency.p99)}")  # fmt: skip
    return lines, {
        "limit_p95_ms": found.limit_ms,
        "holds_qps": found.holds_qps,
        "fails_qps": found.fails_qps,
        "capacity_qps": found.capacity_qps,
        "usual_qps": qps,
        "usual_load": [
            {
                "texts": lengths_of(latency.bucket),
                "p50_ns": None if latency.p50 is None else latency.p50.estimate,
                "p95_ns": None if latency.p95 is None else latency.p95.estimate,
                "p99_ns": None if latency.p99 is None else latency.p99.estimate,
            }
            for latency in by_length
        ],
    }


def lengths_of(bucket: Bucket | None) -> str:
    """Say which texts a bucket holds."""
    return "all texts" if bucket is None else f"{bucket.shortest}-{bucket.longest} tokens"


def floor(found: MemoryFloor) -> tuple[list[str], Any]:
    """Say the least memory under which it answers, and how that was confirmed."""
    if found.floor_bytes is None or found.confirmation is None:
        unknown = {"floor_bytes": None, "reason": found.reason}
        return [f"  memory floor: not measured: {found.reason}"], unknown
    seen = found.confirmation
    doubt = f"; ! {found.reason}" if found.reason else ""
    line = (
        f"  memory floor: {print_bytes(found.floor_bytes)} under {found.kind} ({found.counts}); "
        f"{seen.answered} of {seen.processes} fresh processes answered there, {seen.answered_below} at 0.9 "
        f"of it{doubt}"
    )
    return [line], {"floor_bytes": found.floor_bytes, "kind": found.kind, "confirmed": seen.holds}


def count(found: InstructionCount, change: CountChange | None = None) -> tuple[tuple[str, ...], Any]:
    """Say the instructions of a call, against a baseline where there is one."""
    lines = [f"{found.subject}: {found.per_call:,} instructions a call (median of {len(found.calls)})"]
    if change is not None:
        lines.insert(
            0, f"{change.verdict}: {100 * (change.ratio - 1):+.2f} % instructions; {change.effect:.1%} counts"
        )
    document = dataclasses.asdict(found) | {"per_call": found.per_call, "total": found.total}
    document["change"] = None if change is None else dataclasses.asdict(change)
    return (*lines, *(f"  {note}" for note in found.notes)), document
