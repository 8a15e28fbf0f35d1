"""The Python that a platform runs: to compile bytecode with, and to try a bundle on."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path


@functools.lru_cache
def find_python(version: str) -> str | None:
    """Return the path of an interpreter of this version ("3.13"), or None if there is none here.

    Looked for on the PATH, then among pyenv's and uv's.
    """
    for path in _candidates(version):
        try:
            asked = [path, "-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2], sys.executable)"]
            said = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue
        found, _, real = said.stdout.strip().partition(" ")
        if said.returncode == 0 and found == version:
            return real
    return None


def _candidates(version: str) -> Iterator[str]:
    on_path = shutil.which(f"python{version}")
    if on_path is not None:
        yield on_path
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR", Path.home() / ".local/share/uv/python"))
    for folder, pattern in ((pyenv / "versions", f"{version}.*"), (uv, f"cpython-{version}.*")):
        yield from sorted(str(place) for place in folder.glob(f"{pattern}/bin/python{version}"))
