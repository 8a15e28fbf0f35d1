"""Memory cgroups of our own: made, limited, read, and removed also after a kill."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from edgekd.errors import MeasurementError

PREFIX = "edgekd-floor"
_REMOVE_SECONDS = 5.0


class ControlFiles(NamedTuple):
    """What a group's files are called: cgroup-v1/memory.rst, cgroup-v2.rst in the kernel's documentation."""

    limit: str
    swap: str
    usage: str
    peak: str
    events: str
    empty: str
    mapped: str


V1 = ControlFiles(
    limit="memory.limit_in_bytes",
    swap="memory.memsw.limit_in_bytes",
    usage="memory.usage_in_bytes",
    peak="memory.max_usage_in_bytes",
    events="memory.oom_control",
    empty="memory.force_empty",
    mapped="total_mapped_file",
)
V2 = ControlFiles(
    limit="memory.max",
    swap="memory.swap.max",
    usage="memory.current",
    peak="memory.peak",
    events="memory.events",
    empty="memory.reclaim",
    mapped="file_mapped",
)


@dataclass(frozen=True)
class MemoryGroup:
    """A cgroup for one measured process and what it starts."""

    path: Path
    files: ControlFiles

    @property
    def entrance(self) -> Path:
        """The file to which a process writes 0 to come in."""
        return self.path / "cgroup.procs"

    @property
    def oom_kills(self) -> int:
        """How many processes the kernel killed because the limit was reached."""
        return _entry(self.path / self.files.events, "oom_kill")

    @property
    def mapped_file_bytes(self) -> int:
        """File pages that are mapped by a process and counted here."""
        return _entry(self.path / "memory.stat", self.files.mapped)

    @property
    def peak_bytes(self) -> int | None:
        """The most that was counted; None where the kernel keeps none (version 2 before Linux 5.19)."""
        try:
            return int((self.path / self.files.peak).read_text(encoding="ascii"))
        except FileNotFoundError:
            return None

    @property
    def limit_bytes(self) -> str:
        """The limit as the kernel has it."""
        return (self.path / self.files.limit).read_text(encoding="ascii").strip()

    def limit(self, limit_bytes: int) -> None:
        """Limit memory, and keep swap from being a way out."""
        (self.path / self.files.limit).write_text(str(limit_bytes), encoding="ascii")
        # Missing where the kernel does not count swap. Version 1 counts memory and swap together.
        swap = self.path / self.files.swap
        if swap.exists():
            swap.write_text(str(limit_bytes) if self.files is V1 else "0", encoding="ascii")
        elif self.files is V1:
            (self.path / "memory.swappiness").write_text("0", encoding="ascii")

    def remove(self) -> None:
        """Kill what is inside, give its page cache back and remove the group.

        Without the second, what one process read would be in memory, at no cost, for the next one.
        """
        deadline = time.monotonic() + _REMOVE_SECONDS
        while self.path.exists():
            try:
                for pid in self.entrance.read_text(encoding="ascii").split():
                    with suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)
                with suppress(OSError):  # of version 2 before Linux 5.19, or where some page is busy
                    usage = (self.path / self.files.usage).read_text(encoding="ascii").strip()
                    (self.path / self.files.empty).write_text("0" if self.files is V1 else usage)
                self.path.rmdir()
            except FileNotFoundError:
                return
            except OSError as error:  # a killed process is in its group until it is gone
                if time.monotonic() > deadline:
                    raise MeasurementError(
                        f"{self.path}: cannot be removed ({error.strerror}); end its processes and rmdir it"
                    ) from error
                time.sleep(0.01)


def make_group(parent: Path, files: ControlFiles) -> MemoryGroup:
    """Make a group whose name says which process made it."""
    owner = os.getpid()
    path = parent / f"{PREFIX}-{owner}-{start_ticks(owner)}-{time.monotonic_ns()}"
    path.mkdir()
    return MemoryGroup(path, files)


def sweep_groups(parent: Path, files: ControlFiles) -> None:
    """Remove the groups, empty by now, of processes that were killed before they could."""
    for path in parent.glob(f"{PREFIX}-*"):
        pid, ticks, _ = path.name.removeprefix(f"{PREFIX}-").split("-")
        if start_ticks(int(pid)) == ticks:
            continue  # its owner goes on
        with suppress(OSError):
            if not (path / "cgroup.procs").read_text(encoding="ascii"):
                MemoryGroup(path, files).remove()


def _entry(path: Path, name: str) -> int:
    for line in path.read_text(encoding="ascii").splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0


def start_ticks(pid: int) -> str:
    """Return when a process started, in clock ticks since boot; empty if there is none. See proc(5), stat."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    return line.rpartition(")")[2].split()[19]
