"""Prepare a machine like Lambda's: the platform's Python, its runtime client, limits, an unpacked zip."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

from edgekd.emulate.lambda_function import Place
from edgekd.emulate.machine import find_machine
from edgekd.errors import BadInputError, MissingRuntimeError
from edgekd.measure.memory.limit import find_limit
from edgekd.resources import cache_folder
from edgekd.store import locked
from edgekd.wheels.fetch import fetch_wheels, unpack_wheel
from edgekd.wheels.python import find_python

# What the platform's Python image has; the client's own two needs with it.
_CLIENT = {"awslambdaric": "4.2.2", "simplejson": "4.3.0", "snapshot-restore-py": "1.0.0"}
_EMULATED_INIT_SECONDS = 120.0  # an import of a second takes fifty


def prepare_place(arch: str, python: str, cpu: int | None = None) -> Place:
    """Return a place for functions of `arch` ("x86_64" or "aarch64") on the platform's Python.

    On x86-64 memory is limited by the first limit of the kernel that counts as the platform does (a cgroup);
    under emulation by none, because the emulator's own memory would count.

    Raises:
        MissingRuntimeError: no such Python, client or emulator here.
    """
    client = cache_folder("lambda") / f"client-{arch}-{python}"
    with locked(client.parent / f"{client.name}.lock"):
        if not client.is_dir():
            made = client.parent / f"{client.name}.partial"
            shutil.rmtree(made, ignore_errors=True)  # of a call that was killed
            made.mkdir()
            for wheel in fetch_wheels(_CLIENT, arch, python, cache_folder("wheels")):
                unpack_wheel(wheel, made)
            made.rename(client)
    if arch == "aarch64":
        command = list(find_machine("asimd").command)
        at = command.index("-E")  # its own libraries; the function brings what it needs
        return Place((*command[:at], *command[at + 2 :]), client, None, cpu, _EMULATED_INIT_SECONDS)
    found = find_python(python)
    if found is None:
        raise MissingRuntimeError(f"no Python {python} here; put one on the PATH as python{python}")
    limit, _ = find_limit(("cgroup v2", "cgroup v1"))
    return Place((found,), client, limit, cpu)


def unpack_function(zipped: Path, folder: Path) -> None:
    """Unpack a function's zip into a folder, as the platform does.

    Raises:
        BadInputError: it is no zip, or names a path outside the folder.
    """
    try:
        with zipfile.ZipFile(zipped) as archive:
            names = [entry.filename for entry in archive.infolist()]
            if any(name.startswith("/") or ".." in name.split("/") for name in names):
                raise BadInputError(f"{zipped}: names a path outside; bundle it again")
            archive.extractall(folder)
    except (zipfile.BadZipFile, OSError) as error:
        raise BadInputError(f"{zipped}: cannot be unpacked: {error}; bundle it again") from None
