"""A process that makes steps beside the one that started it, from the other end; see `processes`."""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from edgekd.engines.packing import unpack_steps
from edgekd.engines.process import Process
from edgekd.engines.step import Step
from edgekd.progress import Progress, silent
from edgekd.store import Stage, Store

_F_SETSIG, _PR_SET_PDEATHSIG = 10, 1  # asm-generic/fcntl.h, linux/prctl.h


class _Backwards(Process):
    """Makes the last step that is ready first, and tells the process that started this one."""

    def __init__(self, store: Store, made: dict[Step, Stage], out: TextIO) -> None:
        super().__init__(store, _unseen, lambda words: None)
        self.made, self._out = made, out

    def _make_first(
        self, pending: Sequence[Step], tolerated: tuple[type[Exception], ...], failed: dict[Step, Exception]
    ) -> None:
        super()._make_first(pending[::-1], tolerated, failed)

    def _begin(self, step: Step) -> None:
        _tell(self._out, "begins", step.ident)

    def _say(self, step: Step, words: str, stage: Stage) -> None:
        if not stage.cached:
            _tell(self._out, "done", step.ident, words)


def _tell(out: TextIO, kind: str, ident: str, words: str = "") -> None:
    print(json.dumps([kind, ident, words]), file=out, flush=True)


@contextmanager
def _unseen(title: str) -> Iterator[Progress]:
    yield silent


def _end_with_stdin() -> None:
    """Have the kernel kill this process's group when the other end of stdin closes: the run is gone.

    A thread that reads would not do: it waits while a library holds Python's lock, and children stay behind.
    A process that the run forked may still hold the pipe, so the death of the run itself kills this one, too.
    """
    parent = os.getppid()
    if os.getpgrp() != os.getpid():
        os.setsid()  # else the group would be that of whoever started it
    fcntl.fcntl(0, _F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(0, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(0, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    with suppress(BlockingIOError):
        os.read(0, 1)
        os._exit(1)  # the run was gone before the kernel was asked
    if os.getppid() != parent:
        os._exit(1)


def main() -> None:
    """Make the steps on stdin's second line, less those that must be alone, in the store on its first."""
    with suppress(OSError):  # where memory is short, the helper goes before the run
        Path("/proc/self/oom_score_adj").write_text("1000")
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is not for the process that started this one
    root, packed = sys.stdin.readline().rstrip("\n"), sys.stdin.readline()
    _end_with_stdin()
    steps, made = unpack_steps(packed)
    engine = _Backwards(Store(Path(root)), made, out)
    engine.run_all([step for step in steps if not _waits_for_one_alone(step, made)], (Exception,))


def _waits_for_one_alone(step: Step, made: dict[Step, Stage]) -> bool:
    if step in made:
        return False
    return step.alone or any(_waits_for_one_alone(source, made) for source in step.sources)


if __name__ == "__main__":
    main()
