"""What one stall of 200 ms shows: in an open loop p99 says it, in a closed loop nothing but the maximum does.

    python bench/stall.py                        # 45 seconds; prints a Markdown table

The subject answers in 1 ms, and once, in the middle of its process's time, in 200 ms. By arithmetic: at 300
requests a second a stall of 0.2 s holds up 0.2 x 300 / (1 - 300 x 0.001) = 86 requests, those that arrive
while the queue it left is worked off included; of the 3,000 that arrive in 10 s that is 2.9 %, above the 1 %
of p99 and below the 5 % of p95. Their latencies fall from 200 ms in even steps, so p99 is about 200 x
(1 - 1 / 2.9) = 130 ms. The closed loop has the one call among 10,000, 0.01 %: no percentile up to p99.9
moves.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

SERVICE_MS, STALL_MS, QPS = 1.0, 200.0, 300.0
QUANTILES = (0.5, 0.95, 0.99)
TEXTS = [f"text {number}" for number in range(20)]


class Loop(NamedTuple):
    """What one way to send requests showed; percentiles of `QUANTILES` and the maximum in ms."""

    name: str
    requests: int
    percentiles: tuple[float, ...]
    longest: float


def stalls_once(service_ms: str, stall_ms: str, after_seconds: str) -> Callable[[str], str]:
    """Answer in a fixed time; the first call later than `after_seconds` after now stalls as well."""
    clock, service_ns = time.perf_counter_ns, int(float(service_ms) * 1e6)
    stall_at = clock() + int(float(after_seconds) * 1e9)
    is_due = True

    def answer(text: str) -> str:
        nonlocal is_due
        end = clock() + service_ns
        if is_due and end > stall_at:
            is_due = False
            time.sleep(float(stall_ms) / 1e3)
        while clock() < end:
            pass
        return text

    return answer


def compare_loops(seconds: float, rounds: int, folder: Path) -> tuple[Loop, Loop]:
    """Measure the subject in a closed loop, then in an open one."""
    import numpy as np

    from edgekd.measure.plan import MeasurePlan
    from edgekd.measure.scenarios.server import measure_server
    from edgekd.measure.session import measure_subjects
    from edgekd.measure.subject import Subject

    # One block, so that the stall cannot fall on a block's lead-in, which is no latency.
    plan = MeasurePlan(rounds=rounds, seconds=seconds, block_ms=seconds * 1e3)
    settings = tuple(map(str, (SERVICE_MS, STALL_MS, seconds / 2)))
    subject = Subject("stalls once", "stall:stalls_once", settings)
    closed = measure_subjects([subject], TEXTS, folder / "closed", plan)
    opened = measure_server(subject, TEXTS, folder / "open", QPS, plan)
    loops = {
        "closed: the next request after an answer": [samples.ns for samples in closed.samples(subject.name)],
        f"open: {QPS:g} requests a second at random": [part.latency_ns for part in opened.requests],
    }
    closed_loop, open_loop = (
        Loop(
            name,
            sum(map(len, processes)),
            tuple(float(found) / 1e6 for found in np.quantile(np.concatenate(processes), QUANTILES)),
            max(float(part.max()) for part in processes) / 1e6,
        )
        for name, processes in loops.items()
    )
    return closed_loop, open_loop


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="one stall, seen by a closed and by an open loop")
    parser.add_argument("--seconds", type=float, default=10.0, help="timed seconds of a process")
    parser.add_argument("--rounds", type=int, default=2, help="processes of each loop, one stall in each")
    arguments = parser.parse_args()
    os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parent)
    with tempfile.TemporaryDirectory() as folder:
        loops = compare_loops(arguments.seconds, arguments.rounds, Path(folder))
    share = STALL_MS / 1e3 * QPS / (1 - QPS * SERVICE_MS / 1e3) / (QPS * arguments.seconds)
    print(
        f"A call takes {SERVICE_MS:g} ms; one in each of {arguments.rounds} processes stalls for "
        f"{STALL_MS:g} ms, which holds up {share:.1%} of the open loop's requests.\n"
    )
    print(
        "| loop | requests | p50 ms | p95 ms | p99 ms | longest ms |\n| --- | --- | --- | --- | --- | --- |"
    )
    for loop in loops:
        figures = " | ".join(f"{figure:.2f}" for figure in (*loop.percentiles, loop.longest))
        print(f"| {loop.name} | {loop.requests} | {figures} |")


if __name__ == "__main__":
    main()
