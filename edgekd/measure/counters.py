"""The kernel's own counters of a process and of its cores.

Imported by the measured process too: it loads nothing.
"""

from __future__ import annotations

KIB = 1024


def read_status(pid: int | str = "self") -> dict[str, int]:
    """Return resident bytes, now and at the peak, and the context switches of a process's main thread."""
    names = {
        "VmHWM": "peak_rss_bytes",
        "VmRSS": "rss_bytes",
        "voluntary_ctxt_switches": "voluntary_switches",
        "nonvoluntary_ctxt_switches": "involuntary_switches",
    }
    found = {}
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as lines:  # noqa: PTH123  pathlib costs 3 ms
        for line in lines:
            key, _, value = line.partition(":")
            if key in names:
                found[names[key]] = int(value.split()[0]) * (KIB if key.startswith("Vm") else 1)
    return found


def read_shares() -> tuple[int | None, int | None]:
    """Return PSS and USS of this process in bytes, or None where the kernel does not tell."""
    pss, uss = 0, 0
    try:
        with open("/proc/self/smaps_rollup", encoding="ascii", errors="replace") as lines:  # noqa: PTH123
            for line in lines:
                key, _, value = line.partition(":")
                if key == "Pss":
                    pss = int(value.split()[0]) * KIB
                elif key in ("Private_Clean", "Private_Dirty"):
                    uss += int(value.split()[0]) * KIB
    except OSError:
        return None, None
    return pss, uss


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
