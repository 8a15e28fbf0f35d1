"""Emulated machines: x86-64 with AVX2 and no VNNI, and arm64.

They lie in a folder that `python -m edgekd.emulate` fills, `~/.cache/edgekd/emulators` or what
EDGEKD_EMULATORS names. QEMU's user mode runs a program, not a system: nothing to boot, no rights needed.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgekd.errors import MissingRuntimeError
from edgekd.resources import shown

Name = Literal["avx2", "asimd"]
NAMES: tuple[Name, ...] = ("avx2", "asimd")
PYTHON = "python3.13"


@dataclass(frozen=True)
class Machine:
    """One emulated machine: the instruction set it stands for, and what starts Python on it."""

    name: Name
    command: tuple[str, ...]
    runtimes: tuple[str, ...] | None
    """Runtimes that are installed on it; None: those of this process."""


def default_folder() -> Path:
    """Return the folder that emulators lie in."""
    named = os.environ.get("EDGEKD_EMULATORS")
    return Path(named) if named else Path.home() / ".cache" / "edgekd" / "emulators"


def find_machine(name: Name, folder: Path | None = None) -> Machine:
    """Return the machine of this name.

    Raises:
        MissingRuntimeError: it was not prepared here.
    """
    place = folder or default_folder()
    if name == "avx2":  # Haswell: AVX2 and FMA, no AVX-512, no VNNI
        emulator = place / "qemu-x86_64"
        command: tuple[str, ...] = (str(emulator), "-cpu", "Haswell,hle=off,rtm=off", sys.executable)
        runtimes = None
    else:
        emulator, root = place / "qemu-aarch64", place / "arm64"
        path = f"PYTHONPATH={root / 'site'}"
        command = (str(emulator), "-L", str(root), "-E", path, str(root / "usr" / "bin" / PYTHON))
        runtimes = ("numpy", "onnxruntime", "litert")
    if not emulator.exists():
        raise MissingRuntimeError(
            f"no emulator for {name} in {shown(place)}; "
            "run: python -m edgekd.emulate (needs Debian's apt-get)"
        )
    return Machine(name, command, runtimes)
