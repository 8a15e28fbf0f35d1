"""Callables whose need of memory is known; imported by probes through PYTHONPATH."""

import mmap
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PAGE = 4096


def holds(mebibytes):
    """Hold memory, all of it touched; each call touches a part of it."""
    kept = bytearray(b"\x01") * (int(mebibytes) << 20)
    return lambda text: sum(kept[:: max(PAGE, len(kept) // 500)]) + sum(range(500))


def reads_anew(path):
    """Touch every page of a mapped file at each call."""
    with Path(path).open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    return lambda text: sum(mapped[::PAGE]) + 1


def crashes_without(mebibytes):
    """Abort, as native code does, where the memory is not to be had."""
    try:
        kept = bytearray(int(mebibytes) << 20)
    except MemoryError:
        os.abort()
    return lambda text: len(kept)


def leaves_a_process(pid_file):
    """Start a process that leaves the group, so that no signal to the group reaches it."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"], start_new_session=True)
    with Path(pid_file).open("a") as file:
        file.write(f"{process.pid}\n")
    return lambda text: text + str(sum(range(500)))


def waits(pid_file):
    """Say that it is being built, and never end."""
    temporary = Path(pid_file + ".tmp")
    temporary.write_text(str(os.getpid()))
    temporary.rename(pid_file)
    time.sleep(100)


def raises(message):
    raise ValueError(message)


def kills_itself():
    os.kill(os.getpid(), signal.SIGKILL)
