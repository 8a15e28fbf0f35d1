"""One measured artifact in a few lines, and as a JSON document."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgekd.measure.result import BenchResult
from edgekd.report.printing import ABSENT, print_bytes
from edgekd.stats.interval import Interval
from edgekd.units import format_ms

QUANTILES = (0.5, 0.95, 0.99, 0.999)
_STAGES = (
    ("process_ns", "process"),
    ("import_ns", "imports"),
    ("factory_ns", "model"),
    ("first_answer_ns", "first answer"),
)


def bench_lines(result: BenchResult, name: str) -> list[str]:
    """Say latency, cold start by stage and memory of one subject, then what is doubtful."""
    shares = "  ".join(f"p{100 * q:g} {print_ns(result.percentile(name, q))}" for q in QUANTILES)
    cold = result.cold_start_ms(name)
    stages = ", ".join(f"{words} {_median_ms(result, name, key):.0f}" for key, words in _STAGES)
    processes = result.subject(name).processes
    return [
        f"{name}: {shares}",
        f"  first inference {_median_ms(result, name, 'first_answer_ns'):.2f} ms; cold start "
        f"{f'{cold.estimate:.0f} ms' if cold else ABSENT} ({stages} ms)",
        f"  memory: peak {print_bytes(result.peak_rss_bytes(name))}, steady RSS "
        f"{print_bytes(_steady(result, name, 'rss'))}, PSS {print_bytes(_steady(result, name, 'pss'))}, USS "
        f"{print_bytes(_steady(result, name, 'uss'))}",
        f"  {len(processes)} fresh processes, {result.inputs} texts, {result.plan.threads} thread(s); "
        f"{100 * result.plan.confidence:g} % intervals over processes; a sample costs {result.loop_ns:.0f} "
        f"ns, {result.overhead_ns:.0f} ns of it within the sample",
        *(f"  ! {flag}" for flag in result.flags),
    ]


def bench_document(result: BenchResult, name: str) -> dict[str, Any]:
    """Return the same for machines; durations in ms, sizes in bytes, null for what was not measured."""
    found = {f"p{100 * q:g}_ms": _as_ms(result.percentile(name, q)) for q in QUANTILES}
    return {
        "subject": name,
        **found,
        "cold_start_ms": _interval(result.cold_start_ms(name)),
        "cold_start_stages_ms": {
            key.removesuffix("_ns"): _median_ms(result, name, key) for key, _ in _STAGES
        },
        "peak_rss_bytes": result.peak_rss_bytes(name),
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


def _median_ms(result: BenchResult, name: str, stage: str) -> float:
    starts = [process.cold_start for process in result.subject(name).processes]
    return float(np.median([getattr(start, stage) for start in starts])) / 1e6


def _steady(result: BenchResult, name: str, kind: str) -> int | None:
    values = [getattr(process.memory, f"steady_{kind}_bytes") for process in result.subject(name).processes]
    return None if None in values else int(np.median(values))


def _as_ms(found: Interval | None) -> dict[str, float] | None:
    if found is None:
        return None
    return {"estimate": found.estimate / 1e6, "low": found.low / 1e6, "high": found.high / 1e6}


def _interval(found: Interval | None) -> dict[str, float] | None:
    return None if found is None else {"estimate": found.estimate, "low": found.low, "high": found.high}
