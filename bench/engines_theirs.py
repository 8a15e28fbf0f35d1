"""A foreign program that takes turns: it runs for a while, is stopped, and goes on; it dies with its parent.

Its own clock runs on while it is stopped, so that one call in each of its turns is long: a median does not
see it. Run as a script this is the start of such a process: `engines_theirs.py LIFELINE CORE COMMAND ...`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from edgekd.errors import MeasurementError
from edgekd.measure.process import child_environment
from edgekd.measure.worker import die_with_parent

_WATCH_SECONDS = 0.01


class Theirs:
    """A program of an engine, pinned to `core`, in the environment of measured processes; always `kill`."""

    def __init__(self, command: list[str], core: int, out: Path) -> None:
        self._out = out
        lifeline, self._lifeline = os.pipe()
        start = [sys.executable, __file__, str(lifeline), str(core), *command]
        environment = {**child_environment(1), "PYTHONUNBUFFERED": "1"}
        with out.open("wb") as file:
            self._process = subprocess.Popen(
                start,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                pass_fds=(lifeline,),
                process_group=0,
            )
        os.close(lifeline)

    def stop_at(self, words: str, timeout_seconds: float) -> None:
        """Let it run until it has written `words`, then stop it."""
        end = time.monotonic() + timeout_seconds
        while words not in self.said():
            if self.is_over() or time.monotonic() > end:
                raise MeasurementError(f"{self._out}: expected {words!r}, got {self.said()[-500:]!r}")
            time.sleep(_WATCH_SECONDS)
        self._signal(signal.SIGSTOP)

    def run_block(self, seconds: float) -> None:
        """Let it run for a while."""
        self._signal(signal.SIGCONT)
        time.sleep(seconds)
        self._signal(signal.SIGSTOP)

    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def said(self) -> str:
        """Return what it wrote so far."""
        return self._out.read_text(encoding="utf-8", errors="replace")

    def kill(self) -> None:
        """End it, stopped or not."""
        self._signal(signal.SIGKILL)
        self._process.wait()
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1

    def _signal(self, number: int) -> None:
        if not self.is_over():
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]))
    os.sched_setaffinity(0, {int(sys.argv[2])})
    os.execv(sys.argv[3], sys.argv[3:])
