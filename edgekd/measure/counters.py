"""The kernel's own counters of a process and of its cores.

Imported by the measured process too: it loads nothing.
"""

from __future__ import annotations

import os
import time

KIB = 1024


class MemoryStages:
    """Reads this process's memory as it goes from stage to stage.

    A reading walks the page tables (0.3-1 ms for 100 MiB), so a caller that times the stages stops its clock
    meanwhile: `paused_ns` is what all readings took so far.
    """

    def __init__(self) -> None:
        self.resident: dict[str, dict[str, int | None]] = {}
        self.peaks: dict[str, int] = {}
        self.paused_ns = 0
        self.can_reset = True

    def read(self, stage: str) -> None:
        """Read what is resident now, and the peak since the last reading."""
        began = time.perf_counter_ns()
        status = read_status()
        rss, pss, uss = read_shares()
        rss = status["rss_bytes"] if rss is None else rss
        self.resident[stage] = {"rss_bytes": rss, "pss_bytes": pss, "uss_bytes": uss}
        self.add_peak(stage, max(rss, status["peak_rss_bytes"]))
        self.can_reset = reset_peak()
        self.paused_ns += time.perf_counter_ns() - began

    def add_peak(self, stage: str, peak_bytes: int) -> None:
        """Tell of a peak on the way to `stage` that was read apart."""
        self.peaks[stage] = max(peak_bytes, self.peaks.get(stage, 0))

    def report(self) -> dict[str, object]:
        """Return the fields of `process_bench.Memory`; the peak is of the first stage that reached it."""
        stage = max(self.peaks, key=lambda name: self.peaks[name])
        return {
            **self.resident,
            "peak_rss_bytes": self.peaks[stage],
            "peak_stage": stage,
            "group_peak_bytes": read_group_peak(),
        }


def read_status(pid: int | str = "self") -> dict[str, int]:
    """Return a process's bytes, now and at the peak, and the context switches of its main thread."""
    names = {
        "VmPeak": "peak_virtual_bytes",
        "VmHWM": "peak_rss_bytes",
        "VmRSS": "rss_bytes",
        "RssFile": "file_rss_bytes",
        "voluntary_ctxt_switches": "voluntary_switches",
        "nonvoluntary_ctxt_switches": "involuntary_switches",
    }
    found = {}
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as lines:  # noqa: PTH123  pathlib costs 3 ms
        for line in lines:
            key, _, value = line.partition(":")
            if key in names:
                found[names[key]] = int(value.split()[0]) * (KIB if value.endswith("kB\n") else 1)
    return found


def read_shares() -> tuple[int | None, int | None, int | None]:
    """Return RSS, PSS and USS of this process in bytes, counted page by page; None where the kernel does not.

    The RSS of /proc/self/status is off by up to 128 KiB a core on kernels that count per core (6.2 to 6.15).
    """
    rss, pss, uss = 0, 0, 0
    try:
        with open("/proc/self/smaps_rollup", encoding="ascii", errors="replace") as lines:  # noqa: PTH123
            for line in lines:
                key, _, value = line.partition(":")
                if key == "Rss":
                    rss = int(value.split()[0]) * KIB
                elif key == "Pss":
                    pss = int(value.split()[0]) * KIB
                elif key in ("Private_Clean", "Private_Dirty"):
                    uss += int(value.split()[0]) * KIB
    except OSError:
        return None, None, None
    return rss, pss, uss


def find_memory_group() -> tuple[str, str] | None:
    """Return the folder of this process's memory cgroup and its version, "v1" or "v2"; None without one.

    See proc(5), /proc/pid/mountinfo: the mount may show only the part of the hierarchy below its root.
    """
    groups: dict[str, str] = {}
    try:
        with open("/proc/self/cgroup", encoding="utf-8", errors="surrogateescape") as lines:  # noqa: PTH123
            for line in lines:
                _, controllers, path = line.rstrip("\n").split(":", 2)
                if not controllers:
                    groups["v2"] = path
                elif "memory" in controllers.split(","):
                    groups["v1"] = path
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:  # noqa: PTH123
            mounts = [line.split() for line in lines]
    except OSError:
        return None
    for fields in mounts:
        root, mount, (kind, _, options) = fields[3], fields[4], fields[fields.index("-") + 1 :][:3]
        if kind == "cgroup" and "memory" in options.split(","):
            version = "v1"
        elif kind == "cgroup2" and "v1" not in groups:
            version = "v2"
        else:
            continue
        path = groups.get(version, "/")
        inside = path[len(root) :] if root != "/" and path.startswith(root) else path
        return os.path.normpath(f"{mount}/{inside}"), version
    return None


def read_group_peak() -> int | None:
    """Return the peak in bytes of this process's memory cgroup, if no other process but its own is in it."""
    group = find_memory_group()
    if group is None:
        return None
    folder, version = group
    try:
        with open(f"{folder}/cgroup.procs", encoding="ascii") as pids:  # noqa: PTH123
            if any(os.getpgid(int(pid)) != os.getpgrp() for pid in pids):
                return None
        name = "memory.max_usage_in_bytes" if version == "v1" else "memory.peak"
        with open(f"{folder}/{name}", encoding="ascii") as value:  # noqa: PTH123
            return int(value.read())
    except (OSError, ValueError):
        return None


def read_run_delay_ns() -> int | None:
    """Return how long this process's main thread was ready to run and did not, since it started."""
    try:
        with open("/proc/self/schedstat", encoding="ascii") as line:  # noqa: PTH123
            return int(line.read().split()[1])
    except (OSError, IndexError, ValueError):
        return None


def reset_peak() -> bool:
    """Set VmHWM back to the resident memory of now; return whether the kernel could."""
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as control:  # noqa: PTH123
            control.write("5")
    except OSError:
        return False
    return True


def read_core_ticks() -> dict[int, tuple[int, int, int]]:
    """Return (busy, idle, stolen) clock ticks of every core since boot; stolen is not part of busy."""
    ticks = {}
    with open("/proc/stat", encoding="ascii") as lines:  # noqa: PTH123
        for line in lines:
            name, *fields = line.split()
            if name.startswith("cpu") and name != "cpu":
                user, nice, system, idle, iowait, irq, softirq, steal = (int(field) for field in fields[:8])
                ticks[int(name[3:])] = (user + nice + system + irq + softirq, idle + iowait, steal)
    return ticks
