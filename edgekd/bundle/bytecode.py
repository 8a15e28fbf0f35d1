"""Bytecode for another Python, beside its sources, that is never checked against them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from edgekd.errors import EdgekdError

# In one process, in order: the same bytes each time.
_COMPILE = """
import pathlib, py_compile, sys
root = pathlib.Path(sys.argv[1])
for path in sorted(root.rglob("*.py")):
    name = sys.argv[2] + path.relative_to(root).as_posix()
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(path), dfile=name, doraise=True, optimize=0, invalidation_mode=mode)
"""


def compile_bytecode(folder: Path, python: str, place: str) -> None:
    """Compile every module below `folder` with the interpreter `python`, as if it lay in `place`.

    Modules with hashes in place of times are opened without a look at their sources (PEP 552).
    """
    command = [python, "-I", "-c", _COMPILE, str(folder), place]
    environment = {"PYTHONHASHSEED": "0"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise EdgekdError(f"{python} cannot compile the bundle's modules: {last:.200}")
