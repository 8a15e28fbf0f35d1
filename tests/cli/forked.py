"""The command line in a process of its own, forked from one that has its libraries imported.

Python and the libraries take most of a cached run's time to come up, and one test runs up to eight.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Sequence
from multiprocessing import forkserver
from pathlib import Path
from unittest import mock

_IMPORTED = ["edgekd.cli.main", "edgekd.cli.verbs", "torch", "transformers", "onnx", "onnxruntime"]
_SERVER = multiprocessing.get_context("forkserver")
_FIRST = dict(os.environ)  # of all tests: one of them may change it before it calls the command line


def run_forked(
    arguments: Sequence[str], cwd: Path | None, environment: dict[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run `edgekd` with these arguments; as `subprocess.run` with the output captured.

    Where a test tells Python something by the environment, it begins anew.
    """
    if _told(environment) != _told(_FIRST):
        command = [sys.executable, "-m", "edgekd", *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, cwd=cwd, timeout=timeout, check=False, env=environment
        )
    _SERVER.set_forkserver_preload(_IMPORTED)
    with mock.patch.dict(os.environ, {**_FIRST, "OMP_WAIT_POLICY": "PASSIVE"}, clear=True):
        forkserver.ensure_running()
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        place = os.fspath(cwd or Path.cwd())
        child = _SERVER.Process(target=_run, args=(list(arguments), place, environment, str(out), str(err)))
        child.start()
        child.join(timeout)
        if child.exitcode is None:
            child.kill()
            raise subprocess.TimeoutExpired(list(arguments), timeout)
        said = (path.read_text(encoding="utf-8") for path in (out, err))
        return subprocess.CompletedProcess(list(arguments), child.exitcode, *said)


def _told(environment: dict[str, str]) -> dict[str, str]:
    return {k: v for k, v in environment.items() if k.startswith("PYTHON") and k != "PYTHONWARNINGS"}


def _run(arguments: list[str], cwd: str, environment: dict[str, str], out: str, err: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    for number, path, flags in ((0, os.devnull, os.O_RDONLY), (1, out, os.O_WRONLY), (2, err, os.O_WRONLY)):
        file = os.open(path, flags | (os.O_CREAT if number else 0), 0o600)
        os.dup2(file, number)
        os.close(file)
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115  open as long as the process is
        for number, mode in ((0, "r"), (1, "w"), (2, "w"))
    )
    warnings.simplefilter("ignore")
    sys.argv = ["edgekd", *arguments]
    from edgekd.cli.main import main

    try:
        main()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
