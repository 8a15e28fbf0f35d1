"""Exit code 4: the machine, or a defect; never what a person gave."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from edgekd.cli.faults import explain_fault
from edgekd.errors import BadInputError, MachineError, naming
from edgekd.serving import ServingError
from edgekd.store import Store, write_atomic


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "a.bin"), MachineError, "a.bin: No space left"),
        (OSError(errno.EIO, "Input/output error", "a.bin"), MachineError, "a.bin: Input/output error"),
        (RuntimeError("safetensors: No space left on device (os error 28)"), MachineError, "No space left"),
        (MemoryError(), MachineError, "memory of this machine"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"),
            MachineError,
            "memory",
        ),
        (OSError(errno.EMFILE, "Too many open files"), MachineError, "Too many open files"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), BadInputError, "/x: Permission denied"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "a/b"), BadInputError, "give another path"),
        (ServingError("model.onnx: cannot be opened"), BadInputError, "cannot be opened"),
        (ZeroDivisionError("x"), None, ""),
    ],
)
def test_whose_fault_it_is(error, kind, words):
    known = explain_fault(error)
    assert known is None if kind is None else type(known) is kind and words in str(known)


def test_a_full_disk_names_what_was_written(tmp_path):
    def build(folder: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left") as caught:
        Store(tmp_path).run("teacher", 1, {}, build)
    assert str(caught.value.filename).startswith(str(tmp_path / "teacher"))

    def other(folder: Path) -> None:
        raise RuntimeError("I/O error: No space left on device (os error 28)")

    with pytest.raises(OSError, match="No space left") as caught:
        Store(tmp_path).run("teacher", 2, {}, other)
    assert "teacher" in str(explain_fault(caught.value))
    with pytest.raises(ValueError, match="another"), naming(tmp_path):
        raise ValueError("another")


def run_limited(
    *words: object, limit: tuple[int, int], cwd: Path, **more: object
) -> subprocess.CompletedProcess:
    """Run the command line in a process of its own under a limit of the kernel.

    It keeps no bytecode: under a limit of files' size Python leaves half of it where others then read it.
    """

    def set_limit() -> None:
        resource.setrlimit(limit[0], (limit[1], limit[1]))

    return subprocess.run(
        [sys.executable, "-m", "edgekd", *map(str, words)],
        cwd=cwd,
        preexec_fn=set_limit,
        env={
            **os.environ,
            "PYTHONWARNINGS": "ignore",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        capture_output="stdout" not in more,
        text=True,
        timeout=60,
        check=False,
        **more,
    )


def test_a_disk_that_takes_no_more_is_exit_code_4(small_project):
    done = run_limited(
        "check", "project.yaml", "--json", limit=(resource.RLIMIT_FSIZE, 4096), cwd=small_project.parent
    )
    assert done.returncode == 4, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("edgekd: ")]
    assert len(lines) == 1 and ".edgekd/store/data" in lines[0] and "File too large" in lines[0]
    assert "Traceback" not in done.stderr and "defect" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
def test_full_stdout_is_exit_code_4(tmp_path):
    with Path("/dev/full").open("w") as full:
        done = run_limited(
            "show",
            "schema",
            limit=(resource.RLIMIT_CORE, 0),
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
        )
    assert done.returncode == 4
    assert done.stderr.startswith("edgekd: stdout: No space left on device") and done.stderr.count("\n") == 1


def test_a_defect_is_exit_code_4(speak, monkeypatch):
    import edgekd.cli.showing

    monkeypatch.setattr(edgekd.cli.showing, "show_what", lambda *words: 1 // 0)
    said = speak("show", "targets", "--json")
    assert said.code == 4 and said.document["exit_code"] == 4
    assert "a defect in edgekd: ZeroDivisionError" in said.errors[0] and len(said.errors) == 1


def test_write_atomic_names_its_file(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    with pytest.raises(OSError, match="full") as caught:
        write_atomic(tmp_path / "x.json", "{}")
    assert caught.value.filename == str(tmp_path / "x.json")
