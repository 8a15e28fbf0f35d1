"""One measured artifact in a few lines, and as a JSON document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgekd.config import Target
from edgekd.impact.price import cost_per_1000_usd
from edgekd.measure.compare import Comparison
from edgekd.measure.process_bench import STAGES, ColdStart
from edgekd.measure.result import BenchResult
from edgekd.measure.scenarios.buckets import Buckets, bucket_latencies
from edgekd.measure.stored import STORED_RULE, StoredChange
from edgekd.report.printing import ABSENT, print_bytes, print_usd
from edgekd.stats.interval import Interval
from edgekd.units import format_ms

QUANTILES = (0.5, 0.95, 0.99, 0.999)


def bench_lines(result: BenchResult, name: str, buckets: Buckets | None) -> list[str]:
    """Say latency, by length too, cold start by stage and memory of one subject."""
    shares = "  ".join(f"p{100 * q:g} {print_ns(result.percentile(name, q))}" for q in QUANTILES)
    cold = result.cold_start_ms(name)
    stages = ", ".join(f"{stage} {ms:.0f}" for stage, ms in cold_stages_ms(result, name).items())
    processes = result.subject(name).processes
    return [
        f"{name}: {shares}",
        *_bucket_lines(result, name, buckets),
        f"  first inference {cold_stages_ms(result, name)['first answer']:.2f} ms; cold start "
        f"{f'{cold.estimate:.0f} ms' if cold else ABSENT} ({stages} ms)",
        f"  memory: peak {print_bytes(result.peak_rss_bytes(name))} ({_peak_stage(result, name)}); RSS "
        + ", ".join(f"{stage} {print_bytes(size)}" for stage, size in _stages(result, name).items())
        + f"; steady PSS {print_bytes(_steady(result, name, 'pss'))}, USS "
        f"{print_bytes(_steady(result, name, 'uss'))}",
        f"  {len(processes)} fresh processes, {result.inputs} texts, {result.plan.threads} thread(s); "
        f"{100 * result.plan.confidence:g} % intervals over processes; a sample costs {result.loop_ns:.0f} "
        f"ns, {result.overhead_ns:.0f} ns of it within the sample",
    ]


def _bucket_lines(result: BenchResult, name: str, buckets: Buckets | None) -> list[str]:
    if buckets is None:
        return []
    found = bucket_latencies(result, name, buckets)[1:]
    return [
        f"  {entry.bucket.shortest}-{entry.bucket.longest} {buckets.unit} ({entry.bucket.inputs} texts): "
        f"p50 {print_ns(entry.p50)}  p95 {print_ns(entry.p95)}"
        for entry in found
        if entry.bucket is not None
    ]


def candidates_lines(found: Sequence[tuple[int, BenchResult]], name: str) -> list[str]:
    """Say latency, rate and memory of one subject by how many candidates a request has."""
    lines = []
    for count, result in found:
        rate = candidates_per_second(result, name, count)
        lines.append(
            f"  {count} candidates: p50 {print_ns(result.percentile(name, 0.5))}  p95 "
            f"{print_ns(result.percentile(name, 0.95))}  {rate:,.0f} candidates per second  peak "
            f"{print_bytes(result.peak_rss_bytes(name))}"
        )
    return lines


def candidates_document(found: Sequence[tuple[int, BenchResult]], name: str) -> list[dict[str, Any]]:
    """Return the same for machines."""
    return [
        {
            "candidates": count,
            "p50_ms": _as_ms(result.percentile(name, 0.5)),
            "p95_ms": _as_ms(result.percentile(name, 0.95)),
            "candidates_per_second": candidates_per_second(result, name, count),
            "peak_rss_bytes": result.peak_rss_bytes(name),
        }
        for count, result in found
    ]


def candidates_per_second(result: BenchResult, name: str, count: int) -> float:
    """Return how many candidates are answered in a second of timed calls, with `count` in each."""
    calls = np.concatenate([samples.ns for samples in result.samples(name)])
    return float(count * len(calls) / calls.sum() * 1e9)


def size_and_cost_lines(result: BenchResult, name: str, size_bytes: int, target: Target | None) -> list[str]:
    """Say the artifact's size, and what 1,000 answers cost where a target with a price is given."""
    cost = cost_usd(result, name, target)
    price = "" if cost is None or target is None else f"; 1,000 answers on {target.name}: {print_usd(cost)}"
    return [f"  size {print_bytes(size_bytes)}{price}"]


def cost_usd(result: BenchResult, name: str, target: Target | None) -> float | None:
    """Price 1,000 answers by all timed calls; None without a price."""
    if target is None or target.price is None:
        return None
    calls = np.concatenate([samples.ns for samples in result.samples(name)]) / 1e6
    return cost_per_1000_usd(calls, target.price, target.hardware)


def comparison_document(found: Comparison) -> dict[str, Any]:
    """Return a comparison for machines."""
    return {
        "verdict": found.verdict,
        "candidate": found.candidate,
        "baseline": found.baseline,
        **{
            name: {"verdict": change.verdict, "ratio": _interval(change.ratio), "effect": change.rule.effect}
            for name, change in (("p50", found.p50), ("p95", found.p95))
        },
        "rounds": found.rounds,
        "seconds": found.seconds,
        "reason": found.reason,
        "flags": list(found.result.flags),
    }


def stored_line(changes: Sequence[StoredChange], now: BenchResult, then: BenchResult) -> str:
    """Say how a measurement compares with one that was kept."""
    shown = ", ".join(
        f"p{100 * change.q:g} {'not known' if change.ratio is None else _percent(change.ratio)}"
        for change in changes
    )
    names = f"{now.subjects[0].name} now against {then.subjects[0].name} then"
    guard = f"not paired, less than {STORED_RULE.guard:.0%} is no change"
    return f"{changes[0].verdict}: {shown}; {guard}: {names}"


def stored_document(change: StoredChange) -> dict[str, Any]:
    """Return a change against a kept measurement for machines."""
    return {"percentile": change.q, "verdict": change.verdict, "ratio": _interval(change.ratio)}


def _percent(ratio: Interval) -> str:
    estimate, low, high = (f"{100 * (end - 1):+.1f}" for end in (ratio.estimate, ratio.low, ratio.high))
    return f"{estimate} % [{low} to {high}]"


def bench_document(result: BenchResult, name: str, buckets: Buckets | None) -> dict[str, Any]:
    """Return the same for machines; durations in ms, sizes in bytes, null for what was not measured."""
    by_length = [] if buckets is None else bucket_latencies(result, name, buckets)[1:]
    found = {f"p{100 * q:g}_ms": _as_ms(result.percentile(name, q)) for q in QUANTILES}
    return {
        "subject": name,
        **found,
        "by_length": [
            {
                "shortest": entry.bucket.shortest,
                "longest": entry.bucket.longest,
                "p50_ms": _as_ms(entry.p50),
                "p95_ms": _as_ms(entry.p95),
            }
            for entry in by_length
            if entry.bucket is not None
        ],
        "cold_start_ms": _interval(result.cold_start_ms(name)),
        "cold_start_stages_ms": cold_stages_ms(result, name),
        "peak_rss_bytes": result.peak_rss_bytes(name),
        "rss_bytes": _stages(result, name),
        "peak_stage": _peak_stage(result, name),
        "steady_bytes": {kind: _steady(result, name, kind) for kind in ("rss", "pss", "uss")},
        "environment": result.environment.fingerprint,
        "flags": list(result.flags),
        "samples": str(result.folder),
    }


def print_ns(found: Interval | None) -> str:
    """Print a duration of nanoseconds in ms with its interval; n/a where there are too few samples.

    >>> print_ns(Interval(512_345.0, 500_000.0, 530_000.0, 0.95))
    '0.512 ms [0.500-0.530]'
    """
    if found is None:
        return "n/a"
    low, high = (format_ms(end / 1e6).removesuffix(" ms") for end in (found.low, found.high))
    return f"{format_ms(found.estimate / 1e6)} [{low}-{high}]"


def cold_stages_ms(result: BenchResult, name: str) -> dict[str, float]:
    """Return the median over processes of each stage of a cold start, in order.

    What the loader did is split as far as it says; imports are those of the subject's module and of the
    libraries that the loader imports, and `rest` is what is in no stage.
    """
    by_process = [_split(process.cold_start) for process in result.subject(name).processes]
    return {stage: float(np.median([split[stage] for split in by_process])) / 1e6 for stage in by_process[0]}


def _split(start: ColdStart) -> dict[str, int]:
    parts = dict(start.parts)
    imports = start.import_ns + parts.pop("imports", 0)
    known = parts if start.parts else {"model": start.factory_ns}
    stages = {"process": start.process_ns, "imports": imports, **known, "first answer": start.first_answer_ns}
    return {**stages, "rest": start.total_ns - sum(stages.values())}


def _stages(result: BenchResult, name: str) -> dict[str, int]:
    """Return the median resident bytes at the end of each stage."""
    found = {}
    for stage in STAGES:
        sizes = [getattr(process.memory, stage).rss_bytes for process in result.subject(name).processes]
        found[stage] = int(np.median(sizes))
    return found


def _peak_stage(result: BenchResult, name: str) -> str:
    """Name the stage on the way to which the largest process had its peak."""
    largest = max(result.subject(name).processes, key=lambda process: process.memory.peak_rss_bytes)
    return largest.memory.peak_stage


def _steady(result: BenchResult, name: str, kind: str) -> int | None:
    values = [getattr(process.memory.steady, f"{kind}_bytes") for process in result.subject(name).processes]
    return None if None in values else int(np.median(values))


def _as_ms(found: Interval | None) -> dict[str, float] | None:
    if found is None:
        return None
    return {"estimate": found.estimate / 1e6, "low": found.low / 1e6, "high": found.high / 1e6}


def _interval(found: Interval | None) -> dict[str, float] | None:
    return None if found is None else {"estimate": found.estimate, "low": found.low, "high": found.high}
