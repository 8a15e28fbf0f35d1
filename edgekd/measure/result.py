"""The result of a measurement: what was measured, and figures derived from its raw samples on reading."""

from __future__ import annotations

import dataclasses
import difflib
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekd.errors import BadInputError
from edgekd.measure.environment import Environment
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.process_bench import Conditions, ProcessBench, SubjectBench
from edgekd.measure.samples import Samples, read_samples, weighted_quantile
from edgekd.stats.interval import Interval, divide
from edgekd.stats.percentiles import (
    PerProcess,
    log_t_interval,
    min_samples,
    order_statistic_interval,
    pooled_percentile,
)


@dataclass(frozen=True)
class BenchResult:
    """Subjects measured side by side.

    Percentiles are in nanoseconds. The process is the sampling unit of every interval.

    Attributes:
        overhead_ns: what the clock itself adds to every sample (median over processes); it is not subtracted.
        loop_ns: whole cost of taking a sample, in time that is not in it for the larger part.
        inputs_sha256: digest of the texts, in order.
        flags: what makes the figures doubtful, each with what to do about it.
        folder: where the raw samples lie; not part of the stored result.
    """

    environment: Environment
    plan: MeasurePlan
    overhead_ns: float
    loop_ns: float
    inputs_sha256: str
    inputs: int
    subjects: tuple[SubjectBench, ...]
    conditions: tuple[Conditions, ...]
    flags: tuple[str, ...]
    folder: Path

    def subject(self, name: str) -> SubjectBench:
        """Return one subject's processes by name."""
        for subject in self.subjects:
            if subject.name == name:
                return subject
        names = [subject.name for subject in self.subjects]
        near = difflib.get_close_matches(name, names, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise BadInputError(f"no subject {name!r} was measured{hint}; measured: {', '.join(names)}")

    def samples(self, name: str) -> tuple[Samples, ...]:
        """Read a subject's timed calls, one entry per process."""
        return tuple(self._read(process) for process in self.subject(name).processes)

    def process_percentiles(self, name: str, q: float) -> PerProcess:
        """Return percentile `q` in ns of each process apart."""
        return np.array([np.quantile(samples.ns, q) for samples in self.samples(name)])

    def percentile(self, name: str, q: float) -> Interval | None:
        """Estimate percentile `q` (a fraction) in ns; see `stats.percentiles.pooled_percentile`.

        Returns:
            None with fewer samples than MLPerf LoadGen's rule asks for (p95: 130, p99: 662, p99.9: 6,636), or
            fewer than two processes.
        """
        return pooled_percentile([part.ns for part in self.samples(name)], q, self.plan.confidence)

    def ratio(self, name: str, reference: str, q: float = 0.5) -> Interval | None:
        """Estimate how many times the reference's percentile `q` a subject's is; above 1 is slower.

        In each round both are compared on the inputs that both answered, every input weighing the same; the
        interval is Student's t over the rounds' log ratios, the estimate their geometric mean. Subjects of
        two groups are compared through one that was measured in both.

        Returns:
            None where `percentile` of either is.
        """
        return self._compare(name, reference, lambda one, other: self._ratio(one, other, q))

    def _ratio(self, name: str, reference: str, q: float) -> Interval | None:
        ratios = []
        counts = np.zeros(2, dtype=np.int64)
        for ours, theirs in zip(self.samples(name), self.samples(reference), strict=True):
            ours_shared = ours.of_inputs(np.isin(ours.inputs, theirs.inputs))
            theirs_shared = theirs.of_inputs(np.isin(theirs.inputs, ours.inputs))
            ratios.append(weighted_quantile(ours_shared, q) / weighted_quantile(theirs_shared, q))
            counts += len(ours_shared), len(theirs_shared)
        if len(ratios) < 2 or counts.min() < min_samples(q):
            return None
        return log_t_interval(np.array(ratios), self.plan.confidence)

    def cold_start_ms(self, name: str) -> Interval | None:
        """Estimate the median over processes of the time from spawning to the first answer, in ms.

        From order statistics with six processes or more (at confidence 0.95), else from t on logarithms.
        """
        totals = np.array([process.cold_start.total_ns / 1e6 for process in self.subject(name).processes])
        if len(totals) < 2:
            return None
        by_order = order_statistic_interval(totals, 0.5, self.plan.confidence)
        if np.isfinite([by_order.low, by_order.high]).all():
            return by_order
        by_logs, median = log_t_interval(totals, self.plan.confidence), by_order.estimate
        low, high = min(by_logs.low, median), max(by_logs.high, median)
        return Interval(median, low, high, self.plan.confidence)

    def cold_start_ratio(self, name: str, reference: str) -> Interval | None:
        """Estimate how many times the reference's cold start a subject's is, by round; None for one."""
        return self._compare(name, reference, self._cold_start_ratio)

    def _cold_start_ratio(self, name: str, reference: str) -> Interval | None:
        starts = [
            np.array([process.cold_start.total_ns for process in self.subject(one).processes], np.float64)
            for one in (name, reference)
        ]
        return log_t_interval(starts[0] / starts[1], self.plan.confidence) if len(starts[0]) > 1 else None

    def _compare(
        self, name: str, reference: str, ratio: Callable[[str, str], Interval | None]
    ) -> Interval | None:
        """Compare two subjects by what compares those of one group."""
        ours, theirs = self.subject(name), self.subject(reference)
        if ours.group == theirs.group:
            return ratio(name, reference)
        if twin := self._twin(theirs, ours.group):
            return ratio(name, twin.name)
        if twin := self._twin(ours, theirs.group):
            return ratio(twin.name, reference)
        shared = next(s for s in self.subjects if s.group == ours.group and self._twin(s, theirs.group))
        twin = self._twin(shared, theirs.group)
        assert twin is not None
        one, other = ratio(name, shared.name), ratio(reference, twin.name)
        return None if one is None or other is None else divide(one, other)

    def _twin(self, subject: SubjectBench, group: int) -> SubjectBench | None:
        """Return the same subject as it was measured in another group."""
        same = subject.factory, subject.args, subject.python
        others = (other for other in self.subjects if other.group == group)
        return next((s for s in others if (s.factory, s.args, s.python) == same), None)

    def peak_rss_bytes(self, name: str) -> int:
        """Return the largest peak of resident memory of any process, its interpreter included."""
        return max(process.memory.peak_rss_bytes for process in self.subject(name).processes)

    def with_flags(self, flags: tuple[str, ...]) -> BenchResult:
        """Return the same result with other flags."""
        return dataclasses.replace(self, flags=flags)

    def _read(self, process: ProcessBench) -> Samples:
        path = self.folder / process.samples
        try:
            version = path.stat().st_mtime_ns
        except OSError as error:
            raise BadInputError(f"{path}: samples are missing; measure again") from error
        return _read_cached(path, version)


@functools.lru_cache(maxsize=128)
def _read_cached(path: Path, version: int) -> Samples:
    """Read samples once for each state of their file (`version` is its modification time)."""
    return read_samples(path)
