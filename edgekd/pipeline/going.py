"""Whether a run goes on: a lock beside its folder says so for as long as its process lives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgekd.store import is_locked, locked


@contextmanager
def going_on(run: Path) -> Iterator[None]:
    """Let whoever asks know that a run goes on while the block runs."""
    with locked(_lock(run), shared=True):
        yield


def goes_on(run: Path) -> bool:
    """Tell whether a process is making a run now."""
    return is_locked(_lock(run))


def has_logs(run: Path) -> bool:
    """Tell whether a run came to the end of what it was asked for, so that its logs are there."""
    return (run / "logs").is_dir() or not _lock(run).exists()


def _lock(run: Path) -> Path:
    return run.parent.parent / "locks" / f"{run.name}.running"
