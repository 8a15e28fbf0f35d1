"""A share of one processor for a process and all that it starts, by a cgroup's quota."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edgekd.measure.memory.group import start_ticks

PERIOD_US = 20_000
"""How often the quota is filled up; short, so that one answer seldom waits for more than that."""
_PREFIX = "edgekd-cpu"
_REMOVE_SECONDS = 5.0
_V1 = Path("/sys/fs/cgroup/cpu")


@contextmanager
def limit_cpu(share: float) -> Iterator[Path | None]:
    """Yield the file to which a process writes 0 to get `share` of one processor from then on.

    None where no quota can be set (no such controller, or no right to): the caller says so. Groups that a
    killed process left are swept away.
    """
    if share <= 0:
        raise ValueError(f"a share of a processor is > 0, got {share}")
    group = _make(share)
    try:
        yield None if group is None else group / "cgroup.procs"
    finally:
        if group is not None:
            _remove(group)


def _make(share: float) -> Path | None:
    """Make a group under version 1; version 2 hands its controllers on only through the service manager."""
    with suppress(OSError):
        for path in _V1.glob(f"{_PREFIX}-*"):
            pid, ticks, _ = path.name.removeprefix(f"{_PREFIX}-").split("-")
            if start_ticks(int(pid)) != ticks:
                with suppress(OSError):
                    path.rmdir()
        group = _V1 / f"{_PREFIX}-{os.getpid()}-{start_ticks(os.getpid())}-{time.monotonic_ns()}"
        group.mkdir()
        try:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_US), encoding="ascii")
            (group / "cpu.cfs_quota_us").write_text(str(max(1000, int(share * PERIOD_US))), encoding="ascii")
        except OSError:
            group.rmdir()
            raise
        return group
    return None


def _remove(group: Path) -> None:
    """Remove the group; a process that was killed is in it until it is gone."""
    deadline = time.monotonic() + _REMOVE_SECONDS
    while time.monotonic() < deadline:
        with suppress(OSError):
            group.rmdir()
            return
        time.sleep(0.01)
