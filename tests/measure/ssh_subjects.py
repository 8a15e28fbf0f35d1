"""Callables for measurements over SSH; this file travels to the device by itself."""

import importlib
import os
import subprocess
import sys
import time
from pathlib import Path


def reads(folder):
    """Answer with what a folder holds, and where it was."""
    said = {path.name: path.read_text() for path in sorted(Path(folder).rglob("*")) if path.is_file()}
    return lambda text: (text, folder, said)


def needs(module):
    importlib.import_module(module)
    return lambda text: text


def hangs_in_round(number, prefix):
    """Hang, with a process of its own, in the process that is the `number`-th to build this."""
    with Path(f"{prefix}.rounds").open("a") as file:
        file.write("x")
    if Path(f"{prefix}.rounds").stat().st_size == int(number):
        other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
        Path(f"{prefix}.tmp").write_text(f"{os.getpid()} {other.pid}")
        Path(f"{prefix}.tmp").rename(f"{prefix}.pids")
        time.sleep(100)
    return lambda text: text


def says(words):
    print(words, file=sys.stderr)
    return lambda text: text
