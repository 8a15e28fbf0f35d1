"""One fresh process under a memory limit: did it answer?"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from edgekd.measure.memory.limit import MemoryLimit, Room
from edgekd.measure.memory.probe import write_texts
from edgekd.measure.process import child_environment
from edgekd.measure.subject import Subject

Outcome = Literal["answered", "killed", "error", "too slow"]
"""Of a probe: "killed" is by the kernel because the limit was reached, any other end is an "error"."""


@dataclass(frozen=True)
class Probe:
    """What became of one process.

    Attributes:
        limit_bytes: None without a limit.
        detail: of an error, how the process ended and the last line that it wrote.
        seconds: from its start to its last answer or its end.
        median_ns: median time of a call; None if it did not come that far, and so for what follows.
        peak_rss_bytes: the most that was resident.
        counted_bytes: the most that the limit counted; for RLIMIT_DATA of the whole address space, because
            the kernel keeps no peak of the data.
        uncounted_bytes: file pages in use that the limit does not count.
    """

    limit_bytes: int | None
    outcome: Outcome
    detail: str
    seconds: float
    median_ns: int | None = None
    peak_rss_bytes: int | None = None
    counted_bytes: int | None = None
    uncounted_bytes: int | None = None


class Pace(NamedTuple):
    """What is too slow: a median call, and a whole process; a `median_ns` of 0 is no bound."""

    median_ns: int
    seconds: float


@dataclass(frozen=True)
class Prober:
    """Starts probes of one subject; `texts` and `log` are files that it may use."""

    subject: Subject
    limit: MemoryLimit
    cores: tuple[int, ...]
    texts: Path
    log: Path

    def write_texts(self, inputs: Sequence[str]) -> None:
        """Write what every probe is to answer."""
        write_texts(str(self.texts), inputs)

    def probe(self, limit_bytes: int | None, pace: Pace) -> Probe:
        """Let a fresh process build the subject and answer all texts; it is gone when this returns."""
        if self.limit.parent is not None:
            for argument in self.subject.args:
                evict_files(Path(argument))
        with self.limit.apply(limit_bytes) as room, self._started(room, pace) as (process, reply):
            began = time.monotonic()
            answer = _read_line(reply, pace.seconds)
            seconds = time.monotonic() - began
            if answer is not None and answer.endswith(b"\n"):
                median_ns, peak_rss, virtual, files = (int(part) for part in answer.split())
                slow = 0 < pace.median_ns < median_ns
                group = room.group
                return Probe(
                    limit_bytes=limit_bytes,
                    outcome="too slow" if slow else "answered",
                    detail="",
                    seconds=seconds,
                    median_ns=median_ns,
                    peak_rss_bytes=peak_rss,
                    counted_bytes=virtual if group is None else group.peak_bytes or peak_rss,
                    uncounted_bytes=0 if group is None else max(0, files - group.mapped_file_bytes),
                )
            is_killed = bool(room.group and room.group.oom_kills)
            code = _end(process)
        if is_killed:
            return Probe(limit_bytes, "killed", "", seconds)
        if answer is None:
            return Probe(limit_bytes, "too slow", f"ended after {pace.seconds:.1f} s", seconds)
        return Probe(limit_bytes, "error", self._last_words(code), seconds)

    @contextmanager
    def _started(self, room: Room, pace: Pace) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
        """Start a process; it is dead and reaped afterwards, and dies with this one."""
        lifeline, held = os.pipe()
        reply, theirs = os.pipe()
        words = (lifeline, theirs, *room.entry, ",".join(map(str, self.cores)), self.texts, pace.median_ns)
        command = [sys.executable, "-P", "-m", "edgekd.measure.memory.probe", *map(str, words)]
        process = None
        try:
            with self.log.open("wb") as log:
                process = subprocess.Popen(
                    [*command, self.subject.factory, *self.subject.args],
                    env=child_environment(len(self.cores)),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(lifeline, theirs),
                    process_group=0,
                )
            os.close(theirs)
            theirs = -1
            yield process, reply
        finally:
            if process is not None:
                _end(process)
            for end in (lifeline, held, reply, theirs):
                if end >= 0:
                    os.close(end)

    def _last_words(self, code: int) -> str:
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return f"{how}: {lines[-1].strip()[:200]}" if lines else how


def evict_files(path: Path) -> None:
    """Put a file, or those below a folder, out of the page cache, so that who reads them next is charged.

    A page that a process has mapped stays; see posix_fadvise(2).
    """
    files = path.rglob("*") if path.is_dir() else [path]
    for file in files:
        with suppress(OSError):
            if not file.is_file():
                continue
            descriptor = os.open(file, os.O_RDONLY)
            try:
                os.fsync(descriptor)  # what is not on disk yet stays in memory
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)


def _read_line(descriptor: int, seconds: float) -> bytes | None:
    """Sleep until a line has come; return less of it where the writer ended, None when time is up."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    deadline, line = time.monotonic() + seconds, b""
    while not line.endswith(b"\n"):
        left_ms = (deadline - time.monotonic()) * 1000
        if left_ms <= 0 or not poll.poll(left_ms):
            return None
        received = os.read(descriptor, 4096)
        if not received:
            return line
        line += received
    return line


def _end(process: subprocess.Popen[bytes]) -> int:
    """Kill a process with all it started, reap it, and return how it ended by itself if it did."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()
