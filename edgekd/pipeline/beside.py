"""A second process that compiles too, from the other end: the store's locks deal the stages out.

Compiling is mostly one thread's work, most of it in Python, so a second core would wait. The helper begins
where the run ends, finds everything that was trained in the cache, and both meet where nothing is left to do.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from edgekd.config import Project
from edgekd.pipeline.context import Context
from edgekd.progress import Progress, silent

WORTH = 8  # artifacts: fewer are compiled before a second process is of use

_F_SETSIG, _PR_SET_PDEATHSIG = 10, 1  # asm-generic/fcntl.h, linux/prctl.h


@contextmanager
def helped(context: Context, until: str, only: tuple[str, ...], artifacts: int) -> Iterator[Context]:
    """Yield the context to compile so many artifacts with: the first that is built starts the helper.

    `until` and `only` are the run's: its last step, and its targets.
    It ends with the block, and with this process however that ends, and all that it has started ends with it;
    what it has half done, the store forgets.
    """
    if artifacts < WORTH or len(os.sched_getaffinity(0)) < 2:
        yield context
        return
    helpers: list[subprocess.Popen[str]] = []

    def show(title: str) -> AbstractContextManager[Progress]:
        if not helpers:
            helpers.append(_start(context, until, only))
        return context.show_progress(title)

    try:
        yield replace(context, show_progress=show)
    finally:
        for helper in helpers:
            _end(helper)


def _start(context: Context, until: str, only: tuple[str, ...]) -> subprocess.Popen[str]:
    quiet = subprocess.DEVNULL
    command = [sys.executable, "-m", __name__, str(context.folder.resolve()), until, *only]
    helper = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, text=True, start_new_session=True
    )
    assert helper.stdin is not None
    with suppress(OSError):  # it may have died by now: then this process does it all
        helper.stdin.write(context.project.model_dump_json() + "\n")
        helper.stdin.flush()  # and stays open: its end tells the helper that this process is gone
    return helper


def _end(helper: subprocess.Popen[str]) -> None:
    """Kill the helper's whole process group, which has its number, then close its pipe and wait for it."""
    with suppress(ProcessLookupError):
        os.killpg(helper.pid, signal.SIGKILL)
    helper.communicate()


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
    """Compile the project on stdin's first line, of the folder given, the last target first."""
    with suppress(OSError):  # where memory is short, the helper goes before the run
        Path("/proc/self/oom_score_adj").write_text("1000")
    folder, until, *only = sys.argv[1:]
    project = Project.model_validate_json(sys.stdin.readline())
    _end_with_stdin()
    from edgekd.pipeline.run import compile_backwards

    compile_backwards(Context(project, Path(folder), _unseen, lambda words: None), until, tuple(only))


if __name__ == "__main__":
    main()
