"""Compare a measurement with one that was kept: only of a like machine, and with a wider guard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekd.errors import BadInputError
from edgekd.measure.result import BenchResult
from edgekd.measure.verdict import Rule, Verdict, judge_interval
from edgekd.stats.interval import Interval
from edgekd.stats.percentiles import log_welch_interval, min_samples

# What was measured at another time also differs by what the machine did then.
STORED_RULE = Rule(effect=0.10, guard=0.03, confidence=0.98)


@dataclass(frozen=True)
class StoredChange:
    """A percentile now over the stored one; no interval with too few samples or processes."""

    q: float
    verdict: Verdict
    ratio: Interval | None


def compare_with_stored(now: BenchResult, stored: BenchResult, q: float = 0.5) -> StoredChange:
    """Compare the first subjects of two results by Welch's t over their processes' log percentiles.

    Raises:
        BadInputError: if they were measured in unlike environments, or on other texts; each key that differs
            is named with both values.
    """
    require_like(now, stored)
    ours, theirs = now.subjects[0].name, stored.subjects[0].name
    counts = [sum(map(len, result.samples(name))) for result, name in ((now, ours), (stored, theirs))]
    logs = np.log(now.process_percentiles(ours, q))
    others = np.log(stored.process_percentiles(theirs, q))
    if min(counts) < min_samples(q) or min(len(logs), len(others)) < STORED_RULE.min_rounds:
        return StoredChange(q, "too noisy", None)
    interval = log_welch_interval(logs, others, STORED_RULE.confidence)
    return StoredChange(q, judge_interval(interval, STORED_RULE), interval)


def require_like(now: BenchResult, stored: BenchResult) -> None:
    """Refuse results that do not compare."""
    found = list(now.environment.differences(stored.environment))
    if now.inputs_sha256 != stored.inputs_sha256:
        found.append(f"inputs: {now.inputs_sha256[:12]} / {stored.inputs_sha256[:12]}")
    if found:
        raise BadInputError(
            f"{stored.folder}: measured in another environment (now / then): {'; '.join(found)}; measure the "
            "baseline here, or give its artifact as --baseline: then both are measured now"
        )
