"""The memory floor: the smallest real limit under which a subject still answers, as fast as without one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgekd.errors import BadInputError, MeasurementError
from edgekd.measure.environment import quiet_cores
from edgekd.measure.memory.limit import LADDER, LimitKind, find_limit
from edgekd.measure.memory.limited_process import Pace, Probe, Prober
from edgekd.measure.subject import Subject
from edgekd.units import format_bytes

# Under a limit file pages are dropped and read again: a process that spends its time on that does not answer.
MAX_SLOWDOWN = 2.0
# A whole process gets more: reading parts of a model twice while it loads is no thrashing.
PATIENCE, PATIENCE_SECONDS = 5.0, 5.0
UNLIMITED_PROCESSES = 3
_PATIENT = Pace(median_ns=0, seconds=120.0)
# A limit holds if so many processes in a row answer: the need differs by some 5 % from process to process.
VOTES = 5
# What the floor has above the smallest limit that held, so that ten more hold.
HEADROOM = 0.03
CONFIRM_PROCESSES, MAX_CONFIRMATIONS = 10, 5
BELOW = 0.9
_PAGE = 4096
_GROW, _MAX_GROWTHS = 1.25, 6


@dataclass(frozen=True)
class Confirmation:
    """What fresh processes did at a floor, and at `BELOW` times it."""

    floor_bytes: int
    processes: int
    answered: int
    answered_below: int

    @property
    def holds(self) -> bool:
        """Whether all answered at the floor, and at most one of ten below it."""
        return self.answered == self.processes and 10 * self.answered_below <= self.processes


@dataclass(frozen=True)
class MemoryFloor:
    """The floor of one subject.

    Attributes:
        kind: of the limit; None where this machine offers none.
        counts: which memory the limit counts.
        floor_bytes: None where none was found.
        reason: why none was found, or what is wrong with it; empty for one that was confirmed.
        tolerance: the bisection ended with its two ends this close, as a share.
        skipped: better limits that this machine does not offer, and why.
        unlimited: processes without a limit.
        tried: processes under a limit, in order.
        confirmation: of the floor; None where none was found.
    """

    subject: str
    kind: LimitKind | None
    counts: str
    floor_bytes: int | None
    reason: str
    tolerance: float
    skipped: tuple[str, ...]
    unlimited: tuple[Probe, ...]
    tried: tuple[Probe, ...]
    confirmation: Confirmation | None

    @property
    def unlimited_peak_bytes(self) -> int | None:
        """The most that the limit would have counted without it."""
        return max((probe.counted_bytes or 0 for probe in self.unlimited), default=None)

    @property
    def uncounted_bytes(self) -> int | None:
        """The most that the limit did not count, of file pages in use that were in memory before.

        On a machine that starts with nothing in memory they come on top of the floor.
        """
        return max((probe.uncounted_bytes or 0 for probe in self.unlimited), default=None)


def find_memory_floor(
    subject: Subject,
    inputs: Sequence[str],
    folder: Path,
    *,
    threads: int = 1,
    kinds: Sequence[LimitKind] = LADDER,
    tolerance: float = 0.01,
    on_progress: Callable[[str], None] | None = None,
) -> MemoryFloor:
    """Bisect the memory limit with fresh processes, then confirm the floor with ten at it and ten below.

    A process answers if it builds the subject and answers all texts with a median time of at most
    `MAX_SLOWDOWN` times the unlimited one. Takes some 50 processes. Under a cgroup a page of a file counts
    for the process that brings it into memory: the files that the subject's arguments name are put out of
    memory before every process, so that they count; libraries count as far as they were not in memory.

    Args:
        subject: what is probed.
        inputs: texts, a few hundred; fewer are answered repeatedly.
        folder: gets two files while this runs.
        threads: thread budget of the subject, and the number of cores it is pinned to.
        kinds: limits that may be used, the best first.
        tolerance: how close the bisection comes, as a share.
        on_progress: is told what comes next.

    Raises:
        MeasurementError: if the subject does not answer without a limit.

    Example:
        >>> subject = Subject("upper", "operator:methodcaller", ("upper",))
        >>> floor = find_memory_floor(subject, ["a text"], tmp_path)  # doctest: +SKIP
        >>> floor.kind, floor.floor_bytes  # doctest: +SKIP
    """
    if not inputs:
        raise BadInputError("no texts to answer; give a few hundred")
    if not 0 < tolerance < 1 - BELOW:
        raise BadInputError(f"tolerance must lie between 0 and {1 - BELOW:.1f}, got {tolerance}")
    limit, skipped = find_limit(kinds)
    if limit is None:
        reason = "; ".join(skipped) or "no kind of limit was asked for"
        return MemoryFloor(subject.name, None, "", None, reason, tolerance, skipped, (), (), None)
    folder.mkdir(parents=True, exist_ok=True)
    texts, log = (folder / f".{subject.file_stem}.{end}" for end in ("texts", "log"))
    search = _Search(Prober(subject, limit, quiet_cores(threads), texts, log), on_progress)
    try:
        search.prober.write_texts(inputs)
        confirmation, reason = search.run(tolerance)
    finally:
        for file in (texts, log):
            file.unlink(missing_ok=True)
    return MemoryFloor(
        subject=subject.name,
        kind=limit.kind,
        counts=limit.counts,
        floor_bytes=confirmation.floor_bytes if confirmation else None,
        reason=reason,
        tolerance=tolerance,
        skipped=skipped,
        unlimited=tuple(search.unlimited),
        tried=tuple(search.tried),
        confirmation=confirmation,
    )


@dataclass
class _Search:
    """A search as it goes on."""

    prober: Prober
    on_progress: Callable[[str], None] | None
    unlimited: list[Probe] = field(default_factory=list)
    tried: list[Probe] = field(default_factory=list)
    pace: Pace = _PATIENT

    def run(self, tolerance: float) -> tuple[Confirmation | None, str]:
        """Return the confirmed floor, and what is wrong with it."""
        self._measure_unlimited()
        high = _pages((1 + tolerance) * max(probe.counted_bytes or 0 for probe in self.unlimited))
        low = 0
        for _ in range(_MAX_GROWTHS):
            if self._is_enough(high):
                break
            low, high = high, _pages(high * _GROW)
        else:
            return None, f"processes fail with {format_bytes(low)}, above the peak without a limit: " + (
                self.tried[-1].detail or self.tried[-1].outcome
            )
        while high - low > max(_PAGE, tolerance * high):
            middle = _pages((low + high) / 2)
            if self._is_enough(middle):
                high = middle
            else:
                low = middle
        return self._confirm(_pages(high * (1 + HEADROOM)))

    def _measure_unlimited(self) -> None:
        for _ in range(UNLIMITED_PROCESSES):
            self._tell("without a limit")
            probe = self.prober.probe(None, self.pace)
            if probe.outcome != "answered":
                raise MeasurementError(
                    f"{self.prober.subject.name}: does not answer without a memory limit either "
                    f"({probe.outcome}{': ' if probe.detail else ''}{probe.detail}); make it answer first"
                )
            self.unlimited.append(probe)
        fastest = min(probe.median_ns or 0 for probe in self.unlimited)
        longest = max(probe.seconds for probe in self.unlimited)
        self.pace = Pace(int(MAX_SLOWDOWN * fastest), PATIENCE * longest + PATIENCE_SECONDS)

    def _is_enough(self, limit_bytes: int) -> bool:
        """Try a limit until a process fails, or `VOTES` have answered."""
        self._tell(f"a limit of {format_bytes(limit_bytes)}")
        return all(self._try(limit_bytes) for _ in range(VOTES))

    def _confirm(self, floor: int) -> tuple[Confirmation, str]:
        """Confirm a floor, or one a little higher or lower."""
        for _ in range(MAX_CONFIRMATIONS):
            self._tell(f"confirming {format_bytes(floor)}")
            answered = answered_below = 0
            for _ in range(CONFIRM_PROCESSES):  # in turns, so that a slow phase of the machine falls on both
                answered += self._try(floor)
                answered_below += self._try(_pages(BELOW * floor))
            found = Confirmation(floor, CONFIRM_PROCESSES, answered, answered_below)
            if found.holds:
                return found, ""
            floor = _pages(floor * (1 + HEADROOM if answered < CONFIRM_PROCESSES else BELOW**0.5))
        return found, (
            f"not confirmed: {found.answered} of {found.processes} processes answer at it and "
            f"{found.answered_below} at {BELOW:g} of it: the need differs from process to process; take more"
        )

    def _try(self, limit_bytes: int) -> bool:
        probe = self.prober.probe(limit_bytes, self.pace)
        if probe.outcome == "too slow" and probe.median_ns is not None:
            # The machine itself may have become slower: hold it against a process of now.
            now = self.prober.probe(None, _PATIENT)
            if now.median_ns is not None and probe.median_ns <= MAX_SLOWDOWN * now.median_ns:
                probe = replace(probe, outcome="answered")
            self.unlimited.append(now)
        self.tried.append(probe)
        return probe.outcome == "answered"

    def _tell(self, what: str) -> None:
        if self.on_progress:
            self.on_progress(f"{self.prober.subject.name}: {what}")


def _pages(size: float) -> int:
    """Round up to whole pages: a kernel would round down by itself."""
    return -(-int(size) // _PAGE) * _PAGE
