"""The first code that runs on a device: unpacks ours into a folder of its own and becomes `agent`.

Its source is sent and executed as it stands, before anything of the package is there.
"""

from __future__ import annotations

import compileall
import fcntl
import io
import json
import os
import shutil
import sys
import tempfile
import time
import zipfile
from contextlib import suppress

PREFIX = "edgekd-device-"
_OLD_SECONDS = 60.0


def start(size: int) -> None:
    """Read a zip file of `size` bytes, our modules, from stdin; does not return.

    The modules are compiled at once, so that the first round's cold start is like that of the others.
    """
    archive = sys.stdin.buffer.read(size)
    if len(archive) < size:
        sys.exit(1)
    folder = ""
    try:
        folder = tempfile.mkdtemp(prefix=PREFIX)
        lock = os.open(folder, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.set_inheritable(lock, True)  # the agent keeps it as long as it lives
        sweep(os.path.dirname(folder))  # noqa: PTH120
        code, modules = os.path.join(folder, "code"), os.path.join(folder, "modules")  # noqa: PTH118
        zipfile.ZipFile(io.BytesIO(archive)).extractall(code)
        compileall.compile_dir(code, quiet=2)
        paths = [code, modules, *filter(None, [os.environ.get("PYTHONPATH")])]
        os.execve(
            sys.executable,
            [sys.executable, "-P", "-X", "utf8", "-m", "edgekd.measure.remote.agent", folder],
            {**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )
    except BaseException as error:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)
        if not isinstance(error, OSError):
            raise
        print(json.dumps({"error": {"kind": "MeasurementError", "message": str(error)}}))
        sys.exit(1)


def sweep(place: str) -> None:
    """Remove folders whose agent was killed, or ended with the machine: no one holds their lock any more."""
    with os.scandir(place) as entries:
        found = [entry for entry in entries if entry.name.startswith(PREFIX)]
    for entry in found:
        with suppress(OSError):  # another's, or gone meanwhile
            # One that was made just now may not have been locked yet.
            if entry.stat(follow_symlinks=False).st_mtime > time.time() - _OLD_SECONDS:
                continue
            lock = os.open(entry.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(entry.path, ignore_errors=True)
            finally:
                os.close(lock)
