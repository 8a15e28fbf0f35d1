"""A second process that compiles too, from the other end: the store's locks deal the stages out.

Compiling is mostly one thread's work, most of it in Python, so a second core would wait. The helper begins
where the run ends, finds everything that was trained in the cache, and both meet where nothing is left to do.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from edgekd.config import Project
from edgekd.pipeline.context import Context
from edgekd.progress import Progress, silent

WORTH = 8  # artifacts: fewer are compiled before a second process is of use


@contextmanager
def helped(context: Context, until: str, only: tuple[str, ...], artifacts: int) -> Iterator[Context]:
    """Yield the context to compile so many artifacts with: the first that is built starts the helper.

    `until` and `only` are the run's: its last step, and its targets.
    It ends with the block; what it has half done, the store forgets.
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
            helper.kill()
            helper.communicate()  # closes its pipe and waits


def _start(context: Context, until: str, only: tuple[str, ...]) -> subprocess.Popen[str]:
    quiet = subprocess.DEVNULL
    command = [sys.executable, "-m", __name__, str(context.folder.resolve()), until, *only]
    helper = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, text=True)
    assert helper.stdin is not None
    with suppress(OSError):  # it may have died by now: then this process does it all
        helper.stdin.write(context.project.model_dump_json() + "\n")
        helper.stdin.flush()  # and stays open: its end tells the helper that this process is gone
    return helper


@contextmanager
def _unseen(title: str) -> Iterator[Progress]:
    yield silent


def _end_with_stdin() -> None:
    sys.stdin.read()
    os._exit(1)


def main() -> None:
    """Compile the project on stdin's first line, of the folder given, the last target first."""
    with suppress(OSError):  # where memory is short, the helper goes before the run
        Path("/proc/self/oom_score_adj").write_text("1000")
    folder, until, *only = sys.argv[1:]
    project = Project.model_validate_json(sys.stdin.readline())
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    from edgekd.pipeline.run import compile_backwards

    compile_backwards(Context(project, Path(folder), _unseen, lambda words: None), until, tuple(only))


if __name__ == "__main__":
    main()
