"""Signs that something else than the subject moved the figures.

Nothing is trimmed or corrected: a sign is a sentence that says what was seen and what to do. Limits come
from a two-core virtual machine, quiet and with a busy neighbour; steal time alone is a poor sign there.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edgekd.measure.process_bench import SubjectBench
from edgekd.measure.result import BenchResult

MAX_STEAL_SHARE = 0.01
MAX_OTHERS_SHARE = 0.05
MAX_RUN_DELAY_SHARE = 0.02
MAX_INVOLUNTARY_PER_SECOND = 20.0
MAX_DRIFT = 0.03
MAX_SPREAD = 0.05
MIN_ROUNDS_FOR_DRIFT = 4
_AGAIN = "stop other work on the machine, or measure again with more rounds"


def find_flags(result: BenchResult) -> tuple[str, ...]:
    """List what makes a result doubtful; empty for a quiet run."""
    flags = [*_machine_flags(result)]
    flags += _scheduling_flags(result)
    for subject in result.subjects:
        flags += _process_flags(result, subject)
        flags += _round_flags(result, subject)
    return tuple(flags)


def _machine_flags(result: BenchResult) -> Iterator[str]:
    done, rounds = len(result.conditions), result.plan.rounds
    if done < rounds:
        yield f"only {done} of {rounds} rounds finished: measure again for the stated plan"
    if not done:
        return
    seconds = np.array([conditions.seconds for conditions in result.conditions])
    steal = float(np.average([conditions.steal_share for conditions in result.conditions], weights=seconds))
    others = float(np.average([conditions.others_share for conditions in result.conditions], weights=seconds))
    load = max(conditions.load_average for conditions in result.conditions)
    if steal > MAX_STEAL_SHARE:
        yield f"the hypervisor took {steal:.1%} of the measured cores: use a dedicated host, or measure again"
    if others > MAX_OTHERS_SHARE:
        yield f"other processes used {others:.0%} of the measured cores: {_AGAIN}"
    if load > result.environment.cores:
        yield f"load average {load:.1f} on {result.environment.cores} cores: {_AGAIN}"


def _scheduling_flags(result: BenchResult) -> Iterator[str]:
    """Name the subject that others disturbed most; all share the core, so one sentence says it."""
    switches: list[tuple[float, str]] = []
    delays: list[tuple[float, str]] = []
    for subject in result.subjects:
        seconds = sum(process.timed_ns for process in subject.processes) / 1e9
        scheduling = [process.scheduling for process in subject.processes]
        switches.append((sum(seen.involuntary_switches for seen in scheduling) / seconds, subject.name))
        delays.append((sum(seen.run_delay_ns or 0 for seen in scheduling) / 1e9 / seconds, subject.name))
    rate, name = max(switches)
    if rate > MAX_INVOLUNTARY_PER_SECOND:
        yield f"{name} was interrupted by other processes {rate:.0f} times a second: {_AGAIN}"
    share, name = max(delays)
    if share > MAX_RUN_DELAY_SHARE:
        yield f"{name} waited for its core {share:.0%} as long as it was timed: {_AGAIN}"


def _process_flags(result: BenchResult, subject: SubjectBench) -> Iterator[str]:
    full = [process.timed_ns for process in subject.processes if process.is_full]
    shortest = min(full, default=result.plan.seconds * 1e9) / 1e9
    if shortest < 0.9 * result.plan.seconds:
        yield (
            f"{subject.name}: timed {shortest:.2f} of {result.plan.seconds:g} s in a round because its file "
            "was full: it sped up after warm-up; raise warmup_seconds"
        )


def _round_flags(result: BenchResult, subject: SubjectBench) -> Iterator[str]:
    logs = np.log(result.process_percentiles(subject.name, 0.5))
    if len(logs) < MIN_ROUNDS_FOR_DRIFT:
        return
    rounds = np.arange(len(logs))
    slope = float(np.polyfit(rounds, logs, 1)[0])
    drift = slope * (len(logs) - 1)
    if abs(drift) > MAX_DRIFT and abs(np.corrcoef(rounds, logs)[0, 1]) > 0.9:
        way = "slower" if drift > 0 else "faster"
        yield (
            f"{subject.name}: its median grew {abs(float(np.expm1(drift))):.1%} {way} over the rounds: "
            "let the machine settle (temperature, frequency, other work) and measure again"
        )
    spread = float(np.std(logs, ddof=1))
    if spread > MAX_SPREAD:
        yield f"{subject.name}: its median differs by {spread:.1%} (SD) between processes: {_AGAIN}"
