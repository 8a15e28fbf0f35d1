"""Real limits on the memory of one process: those that this machine offers, the most telling first."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from edgekd.errors import MeasurementError
from edgekd.measure.counters import find_memory_group
from edgekd.measure.memory.group import V1, V2, MemoryGroup, make_group, sweep_groups

LimitKind = Literal["cgroup v2", "cgroup v1", "RLIMIT_DATA", "RLIMIT_AS"]
LADDER: tuple[LimitKind, ...] = ("cgroup v2", "cgroup v1", "RLIMIT_DATA", "RLIMIT_AS")
_GROUP_COUNTS = (
    "resident memory, the kernel's for it, and file pages that the process was first to bring into memory; "
    "not file pages, such as those of libraries, that were in memory before"
)
COUNTS: dict[LimitKind, str] = {
    "cgroup v2": _GROUP_COUNTS,
    "cgroup v1": _GROUP_COUNTS,
    "RLIMIT_DATA": "private writable address space, touched or not; no files, no shared memory",
    "RLIMIT_AS": "all address space, touched or not, with files and libraries",
}
_FILES = {"cgroup v1": V1, "cgroup v2": V2}
_TRIAL_BYTES = 64 << 20
_ENTER = "import sys; open(sys.argv[1], 'w').write('0')"


class Room(NamedTuple):
    """A limit in force, for one process and all that it starts.

    Attributes:
        entry: two words that tell the process how to come under the limit before it does anything else.
        group: the cgroup that was made for it; None for a limit of the process's own.
    """

    entry: tuple[str, str]
    group: MemoryGroup | None


@dataclass(frozen=True)
class MemoryLimit:
    """A way to limit memory that was tried and works here.

    Attributes:
        parent: the cgroup below which groups are made; None for a limit of the process's own.
    """

    kind: LimitKind
    parent: Path | None

    @property
    def counts(self) -> str:
        """Which memory is counted: floors under limits that count differently do not compare."""
        return COUNTS[self.kind]

    @contextmanager
    def apply(self, limit_bytes: int | None) -> Iterator[Room]:
        """Make room for one process, None without a limit; what is left of it afterwards is killed."""
        if self.parent is None:
            yield Room(("none", "") if limit_bytes is None else (self.kind, str(limit_bytes)), None)
            return
        group = make_group(self.parent, _FILES[self.kind])
        try:
            if limit_bytes is not None:
                group.limit(limit_bytes)
            yield Room(("cgroup", str(group.entrance)), group)
        finally:
            try:
                group.remove()
            except KeyboardInterrupt:  # one that comes while tidying up leaves nothing behind either
                group.remove()
                raise


def find_limit(kinds: Sequence[LimitKind] = LADDER) -> tuple[MemoryLimit | None, tuple[str, ...]]:
    """Return the first of `kinds` that works here, and why those before it do not.

    Each is tried for real. What a killed process left behind is swept away.

    >>> limit, _ = find_limit(("RLIMIT_DATA",))
    >>> limit.kind
    'RLIMIT_DATA'
    """
    reasons: list[str] = []
    for kind in kinds:
        try:
            limit = _try_resource(kind) if kind.startswith("RLIMIT") else _try_group(kind)
        except MeasurementError as error:
            reasons.append(f"{kind}: {error}")
        else:
            return limit, tuple(reasons)
    return None, tuple(reasons)


def _try_resource(kind: LimitKind) -> MemoryLimit:
    import resource

    if not hasattr(resource, kind):
        raise MeasurementError("this system has no such limit")
    _, hard = resource.getrlimit(getattr(resource, kind))
    if hard != resource.RLIM_INFINITY:
        raise MeasurementError(f"limited to {hard} bytes from outside")
    return MemoryLimit(kind, None)


def _try_group(kind: LimitKind) -> MemoryLimit:
    found = find_memory_group()
    if found is None or f"cgroup {found[1]}" != kind:
        raise MeasurementError("this process is in no such group that counts memory")
    refusals = []
    for parent in _parents(Path(found[0]), kind):
        limit = MemoryLimit(kind, parent)
        sweep_groups(parent, _FILES[kind])
        try:
            with limit.apply(_TRIAL_BYTES) as room:
                assert room.group is not None
                now = room.group.limit_bytes
                is_open = _can_enter(room.group)
        except OSError as error:
            refusals.append(f"{parent} ({error.strerror})")
            continue
        if now == str(_TRIAL_BYTES) and is_open:
            return limit
        refusals.append(
            f"{parent} ({f'{now} set for {_TRIAL_BYTES}' if is_open else 'no process may go in'})"
        )
    raise MeasurementError(
        f"no group can be limited: {', '.join(refusals) or 'no memory controller is handed on'}"
    )


def _can_enter(group: MemoryGroup) -> bool:
    """Send a process in: a group can be ours to make and not to fill."""
    command = [sys.executable, "-I", "-S", "-c", _ENTER, str(group.entrance)]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0


def _parents(own: Path, kind: LimitKind) -> list[Path]:
    """List the groups below which one with a limit may be made.

    Under version 2 a group that holds processes hands no controller on to groups below it, so that ours has
    to stand beside the one that we are in.
    """
    if kind == "cgroup v1":
        return [own]
    found = []
    for group in (own, own.parent):
        with suppress(OSError):
            if "memory" in (group / "cgroup.subtree_control").read_text(encoding="ascii").split():
                found.append(group)
    return found
