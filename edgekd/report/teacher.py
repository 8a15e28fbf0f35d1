"""The teacher in a report: its size, its quality, and its latency for each number of threads."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgekd.stats.interval import Interval


def print_threads(count: int) -> str:
    """Print a number of threads.

    >>> print_threads(1), print_threads(2)
    ('1 thread', '2 threads')
    """
    return f"{count} thread{'s' if count != 1 else ''}"


@dataclass(frozen=True)
class TeacherTimes:
    """The teacher's latency with so many threads, text in, answer out: in PyTorch eager, and in ONNX Runtime.

    `onnx_p95_ms` is of the same model in ONNX Runtime fp32. What was not timed is absent.
    """

    threads: int
    p50_ms: Interval | None
    p95_ms: Interval | None
    onnx_p95_ms: Interval | None = None


@dataclass(frozen=True, kw_only=True)
class TeacherNote:
    """The reference: quality on the test split by `metric`, and latency for each number of threads."""

    name: str
    parameters: int
    quality: Interval
    weights_bytes: int
    metric: str = "accuracy"
    times: tuple[TeacherTimes, ...] = ()

    def at(self, threads: int) -> TeacherNote:
        """Return the note with the times of this number of threads alone."""
        return replace(self, times=tuple(one for one in self.times if one.threads == threads))

    @property
    def p50_ms(self) -> Interval | None:
        """In PyTorch eager, of the first number of threads."""
        return self.times[0].p50_ms if self.times else None

    @property
    def p95_ms(self) -> Interval | None:
        """In PyTorch eager, of the first number of threads."""
        return self.times[0].p95_ms if self.times else None

    @property
    def onnx_p95_ms(self) -> Interval | None:
        """In ONNX Runtime fp32, of the first number of threads."""
        return self.times[0].onnx_p95_ms if self.times else None
