"""Run steps in several processes of this machine: the store's locks deal the steps out.

Compiling is mostly one thread's work, most of it in Python, so a second core would wait. A helper is a
fresh interpreter that is given the same steps as data and begins at the other end; both meet where nothing is
left to do. So no step is lost whichever process dies: what it had finished is in the store, and its lock went
with it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress

from edgekd.engines.packing import pack_steps
from edgekd.engines.process import Process
from edgekd.engines.step import Step, in_order
from edgekd.store import Stage

WORTH = 12  # steps: fewer are made before a second process is of use
COUNT = 2  # processes: memory is shared with what they compile
_PATIENCE = 1.0  # seconds


class Processes(Process):
    """Makes steps here and in helpers, which start with the first step that is not in the cache.

    Helpers end with the call, and with this process however that ends, and all that they have started ends
    with them. What goes wrong in one is left to this process, which comes to the same step later.
    """

    def __init__(self, engine: Process) -> None:
        super().__init__(engine.store, engine.show_progress, engine.note)
        self.made, self._said = engine.made, engine._said
        self._helpers: list[Helper] = []
        self._asked: tuple[Step, ...] = ()

    def run_all(
        self, steps: Iterable[Step], tolerated: tuple[type[Exception], ...] = ()
    ) -> dict[Step, Exception]:
        """Make steps and what they rest on, as `Process.run_all` does."""
        self._asked = tuple(steps)
        try:
            return super().run_all(self._asked, tolerated)
        finally:
            for helper in self._helpers:
                helper.end({step.ident for step in self.made})
            self._helpers.clear()

    def _begin(self, step: Step) -> None:
        left = [other for other in in_order(self._asked) if other not in self.made]
        count = min(COUNT, len(os.sched_getaffinity(0)))
        if self._helpers or len(left) < WORTH:
            return
        self._helpers = [Helper(self, left) for _ in range(count - 1)]

    def _say(self, step: Step, words: str, stage: Stage) -> None:
        if not stage.cached or not any(step.ident in helper.began for helper in self._helpers):
            super()._say(step, words, stage)  # a helper says of its own steps how long they took


class Helper:
    """A process that makes some of an engine's steps, and the thread here that hears what it says."""

    def __init__(self, engine: Process, steps: list[Step]) -> None:
        self.began: set[str] = set()
        self._told: set[str] = set()
        self._note, self._is_over = engine.note, False
        self._work = f"{engine.store.root.resolve()}\n{pack_steps(steps, engine.made)}\n".encode()
        command = [sys.executable, "-m", "edgekd.engines.helper"]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._thread = threading.Thread(target=self._listen, name="edgekd-helper", daemon=True)
        self._thread.start()

    def end(self, made: set[str]) -> None:
        """Hear what it has to say of the steps that are made, then kill its whole process group."""
        until = time.monotonic() + _PATIENCE  # a step is in the store a moment before the helper says so
        while (self.began & made) - self._told and self._thread.is_alive() and time.monotonic() < until:
            time.sleep(0.01)
        self._is_over = True
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._thread.join()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with suppress(OSError):
                pipe.close()

    def _listen(self) -> None:
        """Hand over the work, then pass on what the helper says until it ends."""
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None and stdout is not None
        with suppress(OSError):  # it may have died by now: then this process does it all
            stdin.write(self._work)
            stdin.flush()  # and stays open: its end tells the helper that this process is gone
        for line in stdout:
            with suppress(ValueError):  # half a line: it was killed
                kind, ident, words = json.loads(line)
                if kind == "begins":
                    self.began.add(ident)
                else:
                    self._note(words)
                    self._told.add(ident)
        code = self.process.wait()
        if code and not self._is_over:
            how = f"was ended by signal {-code}" if code < 0 else f"failed (exit code {code})"
            self._note(f"a second process {how}; this one makes what it has left")
