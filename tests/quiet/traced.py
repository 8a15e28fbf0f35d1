"""What a process and all that it starts do outside their own folders, as strace sees it.

The home folder is new and empty, and the variables that switch telemetry off in a test or in CI are gone:
libraries behave as on a user's machine.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edgekd import quiet

_CALLS = "openat,open,creat,mkdir,mkdirat,rename,renameat,renameat2,connect,clone,clone3,fork,vfork,execve"
_LINE = re.compile(r"(\d+) +(?:<\.\.\. )?(\w+)(?: resumed>|\()(.*)")
_PATH = re.compile(r'(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"([^"]*)"')
# ONNX Runtime, MLflow and NNCF are silent where one of these says that this is a build machine.
_OF_CI = (
    "CI", "TF_BUILD", "GITHUB_ACTIONS", "GITLAB_CI", "CIRCLECI", "TRAVIS", "JENKINS_URL", "BUILDKITE",
    "CODEBUILD_BUILD_ID", "TEAMCITY_VERSION", "APPVEYOR", "BITBUCKET_BUILD_NUMBER", "NNCF_CI", "NNCF_DEV",
)  # fmt: skip
# Torch's compiler names its cache to the processes that it starts.
_OF_TESTS = ("PYTEST", "XDG", "TORCHINDUCTOR", "TRITON")
_READ_TO_LOOK_UP_A_HOST = ("/etc/resolv.conf", "/etc/hosts")
# Bytecode, devices and the process's own files of the kernel; a semaphore has no other place.
_OWN = re.compile(r"/__pycache__(/|$)|^/dev/(null|tty)$|^/proc/(self|\d+)/|^/dev/shm/sem\.")


@dataclass
class Trace:
    """What was seen; `said` is the process's stdout."""

    said: str
    written: set[str] = field(default_factory=set)
    """Paths outside the process's own folders that were opened for writing or made."""
    hosts: set[str] = field(default_factory=set)
    """Connections to other machines, and files read to look one up."""
    forked: int = 0
    """Processes that run on from their parent, without a program of their own."""
    threads: int = 0
    """Threads that were started, by all processes together."""


def environment(folder: Path) -> dict[str, str]:
    """The environment of a user's shell, its home and temporary folders below `folder`."""
    unwanted = (*_OF_CI, *quiet.VARIABLES)
    kept = {k: v for k, v in os.environ.items() if k not in unwanted and not k.startswith(_OF_TESTS)}
    for name in ("home", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    own = {"HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp"), "PYTHONWARNINGS": "ignore"}
    return {**kept, **own, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def trace(command: list[str], cwd: Path, folder: Path) -> Trace:
    """Run a command under strace; it may write below `cwd` and into the temporary folder below `folder`."""
    if shutil.which("strace") is None:
        pytest.skip("no strace here: what processes write and whom they call is not seen; make tools")
    out = folder / "trace.txt"
    strace = [
        "strace",
        "-f",
        "-y",
        "-qq",
        "--seccomp-bpf",
        "-s",
        "300",
        "-o",
        str(out),
        "-e",
        f"trace={_CALLS}",
    ]
    done = subprocess.run(
        [*strace, *command], cwd=cwd, env=environment(folder), capture_output=True, text=True, timeout=600
    )
    if "ptrace" in done.stderr.lower() and done.returncode:
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, done.stderr
    seen = Trace(done.stdout)
    _read(out.read_text(errors="replace"), seen, (str(cwd.resolve()), str((folder / "tmp").resolve())))
    seen.written |= {str(path) for path in (folder / "home").rglob("*")}
    return seen


def _read(text: str, seen: Trace, own: tuple[str, ...]) -> None:
    begun: dict[str, str] = {}
    children, programs = set(), set()
    for line in text.splitlines():
        if (parts := _LINE.match(line)) is None:
            continue
        number, call, rest = parts.groups()
        if rest.endswith("<unfinished ...>"):
            begun[number] = rest
            continue
        rest = begun.pop(number, "") + rest if "resumed>" in line else rest
        if call in ("clone", "clone3", "fork", "vfork"):
            if child := re.search(r"= (\d+)$", rest):
                if "CLONE_THREAD" in rest:
                    seen.threads += 1
                else:
                    children.add(child[1])
        elif call == "execve":
            programs |= {number} if rest.endswith("= 0") else set()
        elif call == "connect":
            seen.hosts |= set() if "AF_UNIX" in rest or "AF_NETLINK" in rest else {rest}
        elif paths := _PATH.findall(rest):
            path = os.path.normpath(str(Path(*paths[-1])))  # of two, a rename's new name
            if call in ("openat", "open") and not re.search(r"O_WRONLY|O_RDWR|O_CREAT", rest):
                seen.hosts |= {path} if path in _READ_TO_LOOK_UP_A_HOST else set()
            elif not path.startswith(own) and not _OWN.search(path) and " = -1 EEXIST" not in rest:
                seen.written.add(path)
    seen.forked = len(children - programs)
