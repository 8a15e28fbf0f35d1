"""Run one cached stage with its progress bar and its line on stderr; one process, or several together."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgekd.errors import ConfigError
from edgekd.pipeline.context import Context
from edgekd.progress import Progress, silent
from edgekd.store import Stage, resume_folder


def run_stage(
    context: Context,
    name: str,
    version: int,
    reads: Mapping[str, Any],
    build: Callable[[Path, Progress], None],
) -> Stage:
    """Return a stage from the cache, or build it and say how long it took."""
    began = time.monotonic()

    def work(folder: Path) -> None:
        with context.show_progress(name) as progress:
            build(folder, progress)

    waited = False

    @contextmanager
    def waiting() -> Iterator[None]:
        nonlocal waited
        waited = True
        with context.show_progress(name) as progress:
            progress(0.0, "another process is building it")
            yield

    stage = context.store.run(name, version, reads, work, waiting)
    took = time.monotonic() - began
    by_another = f"built by another process in {took:.1f} s" if waited else "cached"
    context.note(f"{name}: {by_another if stage.cached else f'done in {took:.1f} s'}")
    return stage


def run_stage_together(
    context: Context,
    name: str,
    version: int,
    reads: Mapping[str, Any],
    build: Callable[[Path, Progress], None],
) -> Stage:
    """Return a stage from the cache, or build it with all processes that `torchrun` started.

    The first builds it in the store. The others build it with the first one's checkpoints, in a folder that
    goes, and then find it in the cache. Alone it is `run_stage`.
    """
    if process_count() == 1:
        return run_stage(context, name, version, reads, build)
    from edgekd.distill.training.processes import Processes

    processes = Processes()
    told = False

    def lead(folder: Path, progress: Progress) -> None:
        nonlocal told
        processes.tell(str(resume_folder(folder).resolve()))
        told = True
        build(folder, progress)

    if processes.is_first:
        stage = run_stage(context, name, version, reads, lead)
        if not told:
            processes.tell("")
    elif resume := processes.tell(None):
        with tempfile.TemporaryDirectory() as kept:
            (Path(kept) / Path(resume).name).symlink_to(resume)
            build(Path(kept), silent)
    processes.wait()
    return stage if processes.is_first else run_stage(context, name, version, reads, _refuse)


def process_count() -> int:
    """How many processes `torchrun` started; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first_process() -> bool:
    """Whether this process is the one that writes and speaks."""
    return int(os.environ.get("RANK", "0")) == 0


def _refuse(folder: Path, progress: Progress) -> None:
    raise ConfigError("the processes do not see one workspace: put it on a disk that all of them share")
