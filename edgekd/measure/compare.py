"""Compare a candidate with a baseline, round by round, until the verdict is clear or time is up."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekd.errors import MeasurementError, OutOfTimeError
from edgekd.measure.device import Device
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.result import BenchResult
from edgekd.measure.session import open_session
from edgekd.measure.subject import Subject
from edgekd.measure.verdict import P50_RULE, P95_RULE, Rule, Verdict, judge_rounds
from edgekd.stats.interval import Interval
from edgekd.stats.percentiles import PerProcess, min_samples

# A pair of processes is alike or not for good: short rounds, many of them.
COMPARE_PLAN = MeasurePlan(rounds=2, seconds=0.2, warmup_seconds=0.05, block_ms=20.0)
MAX_ROUNDS = 30


@dataclass(frozen=True)
class Until:
    """When a comparison ends: as soon as p50 has a verdict by its rule, or after so many seconds."""

    p50_rule: Rule = P50_RULE
    p95_rule: Rule = P95_RULE
    deadline_seconds: float = 20.0


DECIDED = Until()


@dataclass(frozen=True)
class Change:
    """A percentile of the candidate over the baseline's; above 1 is slower. No interval: too few rounds."""

    verdict: Verdict
    ratio: Interval | None
    rule: Rule


@dataclass(frozen=True)
class Comparison:
    """A candidate against a baseline; `verdict` is p50's.

    Attributes:
        seconds: how long it took.
        reason: why it ended.
    """

    candidate: str
    baseline: str
    p50: Change
    p95: Change
    rounds: int
    seconds: float
    reason: str
    result: BenchResult

    @property
    def verdict(self) -> Verdict:
        """The verdict on the typical call."""
        return self.p50.verdict


def compare_subjects(
    candidate: Subject,
    baseline: Subject,
    inputs: Sequence[str],
    folder: Path,
    *,
    plan: MeasurePlan = COMPARE_PLAN,
    until: Until = DECIDED,
    device: Device | None = None,
    on_progress: Callable[[float, str], None] | None = None,
) -> Comparison:
    """Compare two subjects on the same texts, answered in blocks of equal calls that pair up.

    A round's p50 figure is the median over its calls of the ratio between the two on one and the same text,
    answered some ten milliseconds apart, so that what slows the machine down for longer slows both. Its p95
    figure is the ratio of the round's own 95th percentiles. Ends as soon as p50 has a verdict; at the latest
    after `until.deadline_seconds`, when a round that is not finished is ended.

    Raises:
        MeasurementError: if a process crashes, raises or answers None.
        OutOfTimeError: if not one round was finished by then.
    """
    began = time.monotonic()
    session = open_session([baseline, candidate], inputs, folder, plan, turns="by calls", device=device)
    result: BenchResult | None = None
    longest = 0.0
    reason = "the verdict on p50 is clear"
    while True:
        left = until.deadline_seconds - (time.monotonic() - began)
        if left < 1.1 * longest or session.rounds >= MAX_ROUNDS:
            reason = (
                f"the deadline of {until.deadline_seconds:g} s"
                if left < longest * 1.1
                else f"{MAX_ROUNDS} rounds"
            )
            break
        if on_progress:
            on_progress(1 - left / until.deadline_seconds, f"round {session.rounds + 1}")
        start = time.monotonic()
        try:
            result = session.run_round(limit_seconds=left)
        except OutOfTimeError:
            if result is None:
                raise
            reason = f"the deadline of {until.deadline_seconds:g} s"
            break
        longest = max(longest, time.monotonic() - start)
        found, _ = judge_rounds(paired_log_ratios(result, candidate.name, baseline.name), until.p50_rule)
        if found != "too noisy":
            break
    assert result is not None
    p50, p50_interval = judge_rounds(paired_log_ratios(result, candidate.name, baseline.name), until.p50_rule)
    p95: Verdict = "too noisy"
    p95_interval = None
    tail = tail_log_ratios(result, candidate.name, baseline.name)
    if tail is not None:
        p95, p95_interval = judge_rounds(tail, until.p95_rule)
    return Comparison(
        candidate.name,
        baseline.name,
        Change(p50, p50_interval, until.p50_rule),
        Change(p95, p95_interval, until.p95_rule),
        session.rounds,
        time.monotonic() - began,
        reason,
        result,
    )


def paired_log_ratios(result: BenchResult, candidate: str, baseline: str) -> PerProcess:
    """Return each round's median log ratio over its pairs of calls of the same text in paired blocks."""
    medians = []
    for ours, theirs in zip(result.samples(candidate), result.samples(baseline), strict=True):
        count = min(len(ours), len(theirs))
        if not np.array_equal(ours.inputs[:count], theirs.inputs[:count]):
            raise MeasurementError("blocks do not pair up: measure again with turns by calls")
        medians.append(np.median(np.log(ours.ns[:count] / theirs.ns[:count])))
    return np.array(medians)


def tail_log_ratios(result: BenchResult, candidate: str, baseline: str, q: float = 0.95) -> PerProcess | None:
    """Return each round's log ratio of the two percentiles `q`; None with too few calls in all."""
    if min(sum(map(len, result.samples(name))) for name in (candidate, baseline)) < min_samples(q):
        return None
    ours, theirs = (result.process_percentiles(name, q) for name in (candidate, baseline))
    logs: PerProcess = np.log(ours / theirs)
    return logs
