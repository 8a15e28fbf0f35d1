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
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from unittest import mock

_IMPORTED = ["edgekd.cli.main", "preloaded", "labelling_worker"]  # the first switches telemetry off
_FOLDERS = [Path(__file__).parent, Path(__file__).parents[1] / "distill" / "labels"]  # of the last two
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
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        streams = [Connection(os.dup(file.fileno()), readable=False) for file in (out, err)]
        child = start_forked(arguments, cwd, environment, *streams)
        child.join(timeout)
        if child.exitcode is None:
            child.kill()
            raise subprocess.TimeoutExpired(list(arguments), timeout)
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read().decode("utf-8"))
        return subprocess.CompletedProcess(list(arguments), child.exitcode, *said)


def ensure_server() -> None:
    """Start the one fork server that a process can have: who comes first decides what it has imported."""
    _SERVER.set_forkserver_preload(_IMPORTED)
    paths = os.pathsep.join([*map(str, _FOLDERS), *filter(None, [_FIRST.get("PYTHONPATH")])])
    own = {**_FIRST, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    with mock.patch.dict(os.environ, own, clear=True):
        forkserver.ensure_running()


def start_forked(
    arguments: Sequence[str], cwd: Path | None, environment: dict[str, str], out: Connection, err: Connection
) -> BaseProcess:
    """Start `edgekd` in a process group of its own; it alone holds `out` and `err` afterwards."""
    ensure_server()
    place = os.fspath(cwd or Path.cwd())
    child = _SERVER.Process(target=_run, args=(list(arguments), place, environment, out, err))
    child.start()
    for stream in (out, err):
        stream.close()
    return child


def _told(environment: dict[str, str]) -> dict[str, str]:
    return {k: v for k, v in environment.items() if k.startswith("PYTHON") and k != "PYTHONWARNINGS"}


def _run(
    arguments: list[str], cwd: str, environment: dict[str, str], out: Connection, err: Connection
) -> None:
    os.setpgid(0, 0)
    assert "preloaded" in sys.modules  # a server that cannot import it says nothing, and all is slow
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    for number, stream in enumerate((Connection(os.open(os.devnull, os.O_RDONLY)), out, err)):
        os.dup2(stream.fileno(), number)
        stream.close()
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
