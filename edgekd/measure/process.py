"""A measured process, seen from the process that directs it."""

from __future__ import annotations

import json
import math
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import edgekd
from edgekd.errors import MeasurementError, OutOfTimeError
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.subject import Subject

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
)
# Weights in huge pages, where the kernel offers them, cut the spread between processes by two thirds: the
# run-to-run bias comes from where small pages happen to lie.
HUGE_PAGES = "glibc.malloc.hugetlb=1"


class Given(NamedTuple):
    """Files that a process reads: the first text, and all of them with their order."""

    first: Path
    inputs: Path


class Made(NamedTuple):
    """Files that a process writes."""

    samples: Path
    warmup: Path
    answers: Path


class Child:
    """A fresh process for one subject: `start`, `run_block` as often as wanted, `finish`; always `kill`.

    Whatever is waited for, nothing is past `until` on the monotonic clock: then OutOfTimeError is raised.
    """

    def __init__(self, subject: Subject, log: Path, until: float = math.inf) -> None:
        self.subject = subject
        self._until = until
        self.timed_ns = 0
        self.blocks = 0
        self.is_full = False
        self.typical_ns = 0
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._buffer = b""
        self._command = self._reply = self._lifeline = -1

    def start(self, plan: MeasurePlan, cores: Iterable[int], given: Given, made: Made) -> None:
        """Spawn the process on `cores`; wait until it has loaded, answered, warmed up and gone to sleep."""
        command, self._command = os.pipe()
        reply, lifeline = self.open_pipes()
        spawned_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        times = [spawned_ns, int(plan.warmup_seconds * 1e9), int(plan.seconds * 1e9)]
        ends = (command, reply, lifeline)
        with pinned(cores):
            self.spawn("edgekd.measure.worker", [*ends, *times, *given, *made], plan.threads, ends)
        self._receive("loaded", "loading and answering the first input", plan.timeout_seconds)
        self.typical_ns = int(self._receive("ready", "warming up", plan.timeout_seconds)["typical_ns"])

    def open_pipes(self) -> tuple[int, int]:
        """Return the process's ends of a pipe for its replies, and of one that ends it with this process."""
        self._reply, reply = os.pipe()
        lifeline, self._lifeline = os.pipe()
        return reply, lifeline

    def spawn(
        self,
        module: str,
        arguments: Iterable[object],
        threads: int,
        ends: tuple[int, ...],
        below: Iterable[str] = (),
    ) -> None:
        """Start a module, the subject its last arguments; `ends` are ends of pipes, closed here after.

        `below` is the command of a program that runs it.
        """
        try:
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    [
                        *(*below, self.subject.python or sys.executable, "-P", "-m", module),
                        *map(str, arguments),
                        *(self.subject.factory, *self.subject.args),
                    ],
                    env=child_environment(threads),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=ends,
                    process_group=0,
                )
        finally:
            for end in ends:
                os.close(end)

    def run_block(self, budget_ns: int, timeout_seconds: float, calls: int = 0) -> None:
        """Let the process run for `budget_ns` or for `calls` calls, at least one, while this one sleeps."""
        with suppress(BrokenPipeError):  # the death is met, and told, by the read that follows
            os.write(self._command, b"%d %d %d\n" % (budget_ns, self.blocks, calls))
        reply = self._receive("block", "answering", budget_ns / 1e9 + timeout_seconds)
        self.timed_ns += reply["ns"]
        self.is_full = bool(reply["full"])
        self.blocks += 1

    def finish(self, timeout_seconds: float) -> dict[str, Any]:
        """Ask for the process's report and wait for its end."""
        with suppress(BrokenPipeError):
            os.write(self._command, b"stop\n")
        return self.take_report("done", "ending", timeout_seconds)

    def take_report(self, stage: str, doing: str, timeout_seconds: float) -> dict[str, Any]:
        """Wait for the process's last words, and end it; a log without a word in it goes."""
        report = self._receive(stage, doing, timeout_seconds)
        self.kill()
        if not self._log.stat().st_size:
            self._log.unlink()
        return report

    def kill(self) -> None:
        """End the process with all it started, reap it and close the pipes; may be called twice."""
        if self._process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
        for end in (self._command, self._reply, self._lifeline):
            if end >= 0:
                os.close(end)
        self._command = self._reply = self._lifeline = -1

    def _receive(self, stage: str, doing: str, timeout_seconds: float) -> dict[str, Any]:
        """Sleep until the process says that it finished `stage`."""
        poll = select.poll()
        poll.register(self._reply, select.POLLIN)
        deadline = min(time.monotonic() + timeout_seconds, self._until)
        while b"\n" not in self._buffer:
            left_ms = (deadline - time.monotonic()) * 1000
            if left_ms <= 0 or not poll.poll(left_ms):
                if deadline == self._until:
                    raise OutOfTimeError(
                        f"{self.subject.name}: the time for the whole round was over while {doing}; "
                        f"it was ended{self._last_words()}"
                    )
                raise MeasurementError(
                    f"{self.subject.name}: no answer within {timeout_seconds:g} s while {doing}; "
                    f"it was ended. Raise timeout_seconds if it is only slow{self._last_words()}"
                )
            received = os.read(self._reply, 1 << 16)
            if not received:
                raise MeasurementError(
                    f"{self.subject.name}: {self._death()} while {doing}{self._last_words()}"
                )
            self._buffer += received
        line, _, self._buffer = self._buffer.partition(b"\n")
        document: dict[str, Any] = json.loads(line)
        if document.get("stage") != stage:
            raise MeasurementError(
                f"{self.subject.name}: expected {stage!r} from its process, got {line[:80]!r}"
            )
        return document

    def _death(self) -> str:
        assert self._process is not None
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "its process closed the connection"
        if code < 0:
            name = signal.Signals(-code).name
            hint = " (out of memory?)" if name == "SIGKILL" else ""
            return f"its process was killed by {name}{hint}"
        return f"its process ended with exit code {code}"

    def _last_words(self) -> str:
        """Return the last line that the process wrote, as the end of a message."""
        with self._log.open("rb") as log:
            log.seek(max(0, self._log.stat().st_size - 4096))
            lines = log.read().decode("utf-8", errors="replace").strip().splitlines()
        return f": {lines[-1].strip()[:300]}" if lines else ""


def child_environment(threads: int) -> dict[str, str]:
    """Return the environment variables of every measured process.

    Python's own variables are left out, but for where it finds modules, so that a shell's settings change no
    result; the hash seed is fixed.
    """
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("PYTHON", "COV_CORE", "COVERAGE")) or key == "PYTHONHOME"
    }
    root = str(Path(edgekd.__file__).resolve().parent.parent)
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {
        **kept,
        **dict.fromkeys(_THREAD_VARIABLES, str(threads)),
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
        "PYTHONHASHSEED": "0",
        "GLIBC_TUNABLES": HUGE_PAGES,
    }


@contextmanager
def pinned(cores: Iterable[int]) -> Iterator[None]:
    """Pin this thread, so that a process started meanwhile is pinned from its first instruction."""
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, own)
