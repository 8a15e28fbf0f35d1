"""What is no error of edgekd's own: whose fault it is, in one line."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path

from edgekd.errors import FULL_DISK, BadInputError, EdgekdError, MachineError

_AGAIN = "finished steps are kept, run again when it is mended"
# A path that cannot be used as it was asked for: somebody gave it, and can give another one.
_OF_PATHS = frozenset(
    {
        *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ENAMETOOLONG),
        *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP, errno.EXDEV, errno.ENXIO),
    }
)
_LITTLE_BYTES = 1 << 20
# What libraries say that have no type of their own for it: torch, ONNX Runtime, C++.
_NO_MEMORY = (
    "can't allocate memory",
    "cannot allocate memory",
    "failed to allocate memory",
    "bad_alloc",
    "out of memory",
)


def explain_fault(error: Exception) -> EdgekdError | None:
    """Return what a person is told of an error that no code of edgekd raised; None for a defect."""
    from edgekd.serving.errors import ServingError  # with it comes numpy, which a help text does without

    words = " ".join(str(error).split())[:200]
    if isinstance(error, ServingError):
        return BadInputError(str(error))
    if isinstance(error, shutil.Error) and error.args and isinstance(error.args[0], list) and error.args[0]:
        source, place, why = error.args[0][0]  # a tree of files that could not be copied
        return MachineError(f"{place}: cannot be copied from {source}: {why}; {_AGAIN}")
    if isinstance(error, MemoryError) or any(part in str(error).lower() for part in _NO_MEMORY):
        more = f" ({words})" if words else ""
        return MachineError(f"the memory of this machine is not enough{more}; free some, or ask for less")
    for number in FULL_DISK:  # safetensors, and others, have errors of their own for a full disk
        if getattr(error, "errno", None) == number or os.strerror(number) in str(error):
            return MachineError(f"{_name_disk(error)}: {os.strerror(number)}; {_AGAIN}")
    if isinstance(error, OSError):
        name = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        if name and error.errno in _OF_PATHS:
            return BadInputError(f"{name}{error.strerror}; give another path, or mend this one")
        return MachineError(f"{name}{error.strerror or words}; {_AGAIN}")
    return None


def _name_disk(error: Exception) -> str:
    """Name the file that could not be written; where the error names none, folders with no room left."""
    name = getattr(error, "filename", None)
    if isinstance(name, str | bytes):
        return os.fsdecode(name)
    for place in (Path.cwd(), Path(tempfile.gettempdir())):
        try:
            if shutil.disk_usage(place).free < _LITTLE_BYTES:
                return str(place)
        except OSError:
            continue
    return "a disk of this machine"
