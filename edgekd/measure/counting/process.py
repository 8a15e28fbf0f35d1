"""The process whose calls are counted, and what counts there."""

from __future__ import annotations

import errno
import itertools
import json
import os
import platform
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, NamedTuple

from edgekd.errors import MeasurementError, MissingRuntimeError
from edgekd.measure.counting import worker
from edgekd.measure.counting.worker import Counter, open_perf
from edgekd.measure.process import Child
from edgekd.measure.subject import Subject

_VALGRIND = (
    *("valgrind", "--tool=callgrind", "--command-line-only=yes", "--quiet", "--sigill-diagnostics=yes"),
    *("--vgdb=no", "--instr-atstart=no", "--dump-line=no"),
)
# perf_event_open(2), by what a reader can do about it.
_REFUSALS = {
    errno.ENOENT: "the machine has none or its hypervisor keeps it",
    errno.EOPNOTSUPP: "the machine has none or its hypervisor keeps it",
    errno.EACCES: "kernel.perf_event_paranoid is above 2",
    errno.EPERM: "kernel.perf_event_paranoid is above 2, or the container forbids it",
}


class Tool(NamedTuple):
    """What counts, with its version, and why it does."""

    counter: Counter
    name: str
    reason: str


class Run(NamedTuple):
    """What both processes of a count get; `made` holds the texts and gets callgrind's files."""

    subject: Subject
    texts: list[str]
    folder: Path
    made: Path
    threads: int
    timeout_seconds: float


class Counted(NamedTuple):
    """Instructions of each call, and of a callable that does nothing."""

    calls: tuple[int, ...]
    idle_calls: tuple[int, ...]
    isa: tuple[str, ...]
    python: str
    seconds: float


class _CountedChild(Child):
    """A process that counts its calls and ends."""

    def count(self, run: Run, counter: Counter) -> dict[str, Any]:
        """Spawn it, below valgrind where that counts, and wait for its report."""
        below = (
            *_VALGRIND,
            f"--callgrind-out-file={run.made / 'dump'}",
            f"--log-file={run.made / 'valgrind.log'}",
        )
        texts = run.made / "texts.json"
        texts.write_text(json.dumps(run.texts), encoding="utf-8")
        ends = self.open_pipes()
        settings = [*ends, run.threads, counter, texts]
        self.spawn(worker.__name__, settings, run.threads, ends, below if counter == "callgrind" else ())
        return self.take_report("counted", f"being counted ({counter})", run.timeout_seconds)


def run_process(run: Run, counter: Counter) -> Counted:
    """Run one process to its end and read what was counted; it is killed whatever happens."""
    child = _CountedChild(run.subject, run.folder / f"{run.subject.file_stem}.stderr.log")
    began = time.monotonic()
    try:
        report = child.count(run, counter)
    except MeasurementError as error:
        unknown = _unknown_instruction(run.made / "valgrind.log")
        if unknown is None:
            raise
        raise MeasurementError(
            f"{run.subject.name}: valgrind does not know an instruction that it runs ({unknown}): "
            "count where performance counters work, or measure its time"
        ) from error
    finally:
        child.kill()
    seconds = time.monotonic() - began
    if counter == "callgrind":
        sizes = [len(report["marks"]), len(report["idle_marks"])]
        # The first dump is what came before the first mark; the two walks follow one another.
        dumps = [_read_total(run.made / f"dump.{number}") for number in range(1, sum(sizes) + 1)]
        calls, idle_calls = dumps[1 : sizes[0]], dumps[sizes[0] + 1 :]
    else:
        calls, idle_calls = (
            [after - before for before, after in itertools.pairwise(marks)]
            for marks in (report["marks"], report["idle_marks"])
        )
    return Counted(tuple(calls), tuple(idle_calls), tuple(report["isa"]), report["python"], seconds)


def find_tool() -> Tool:
    """Choose what counts: the machine's counters where they really do, else callgrind."""
    try:
        file = open_perf()
    except OSError as error:
        refusal = f"the instruction counter does not open ({_REFUSALS.get(error.errno or 0, error.strerror)})"
    else:
        os.close(file)
        return Tool("perf", f"perf_event_open, Linux {platform.release()}", "this machine's counters work")
    program = shutil.which("valgrind")
    if program is None:
        raise MissingRuntimeError(
            f"instructions cannot be counted: {refusal}, and valgrind is not installed; install valgrind "
            "(Debian, Ubuntu: apt-get install valgrind), or count on a machine with performance counters"
        )
    version = subprocess.run(
        [program, "--version"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return Tool("callgrind", f"callgrind of {version or 'valgrind'}", refusal)


def _read_total(path: Path) -> int:
    """Read the instructions (event Ir) of one dump; see the manual's callgrind format, `totals`."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 256))
            found = re.search(rb"^totals: (\d+)$", file.read(), re.MULTILINE)
    except OSError as error:
        raise MeasurementError(f"callgrind wrote no {path.name} ({error}); is the disk full?") from error
    if found is None:
        raise MeasurementError(f"callgrind's {path.name} has no totals; is the disk full?")
    return int(found[1])


def _unknown_instruction(log: Path) -> str | None:
    """Return valgrind's words on an instruction that it does not know, if it said so."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    if "Unrecognised instruction" not in text and "unhandled instruction" not in text:
        return None
    found = re.search(r"unhandled instruction[^\n]*", text)
    return found[0].strip() if found else "it names none"
