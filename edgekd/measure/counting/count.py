"""Count the instructions of calls instead of timing them: for machines that are shared, such as CI runners.

A count does not depend on who else uses the machine, so that one process a subject is enough; it does not
know what a cache miss or a wide instruction costs, so that it finds a change and is no latency. Where the
machine's performance counters work they count what really runs; elsewhere valgrind's callgrind counts what
runs on the CPU that it imitates, which lacks AVX-512: runtimes then pick other kernels.
"""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import itertools
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from edgekd.errors import BadInputError, MeasurementError, MissingRuntimeError
from edgekd.measure.counting import worker
from edgekd.measure.counting.worker import Counter, open_perf
from edgekd.measure.process import Child, child_environment
from edgekd.measure.subject import Subject

# What is a change, as a share of the instructions; docs/results/counting.jsonl has the spread it stands on.
COUNT_EFFECT = 0.005
COUNT_CALLS = 32
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

CountVerdict = Literal["more", "fewer", "no change"]


@dataclass(frozen=True)
class InstructionCount:
    """The instructions that calls of one subject took, in one process; loading and warm-up are not in them.

    Attributes:
        tool: what counted, with its version.
        reason: why that tool.
        isa: the instruction sets that the counted process was told to have.
        hidden: those that it has when it runs alone, and did not have when it was counted.
        inputs_sha256: digest of the counted texts, in order.
        calls: instructions of each call as counted, in user mode, those of the loop included.
        loop: instructions of the loop for a callable that does nothing (median); part of every call above.
        seconds: how long the counted process took.
        native_seconds: how long the same process took without the tool; None where the tool does not slow
            it down.
        python: version of the interpreter, whose instructions are in the count.
    """

    subject: str
    tool: str
    reason: str
    isa: tuple[str, ...]
    hidden: tuple[str, ...]
    inputs_sha256: str
    calls: tuple[int, ...]
    loop: int
    seconds: float
    native_seconds: float | None
    threads: int
    python: str
    hash_seed: str

    @property
    def total(self) -> int:
        """Instructions of all calls, without the loop's."""
        return sum(self.calls) - self.loop * len(self.calls)

    @property
    def per_call(self) -> int:
        """Instructions of the median call, without the loop's."""
        return round(statistics.median(self.calls)) - self.loop

    @property
    def slowdown(self) -> float:
        """How many times as long the process took because it was counted."""
        return 1.0 if self.native_seconds is None else self.seconds / self.native_seconds

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the figures must know, a sentence each."""
        hidden = (
            f"; it hides {', '.join(self.hidden)}, so kernels for them did not run" if self.hidden else ""
        )
        return (
            f"{self.subject}: instructions in user mode, counted by {self.tool} because {self.reason}",
            f"{self.subject}: counted with {', '.join(self.isa) or 'unknown instruction sets'}{hidden}",
            f"{self.subject}: it took {self.seconds:.1f} s, {self.slowdown:.0f} times as long as uncounted",
            f"{self.subject}: Python {self.python}, hash seed {self.hash_seed}, {self.threads} threads",
        )


@dataclass(frozen=True)
class CountChange:
    """The candidate's instructions over the baseline's; a share of `effect` more or fewer is a change."""

    ratio: float
    verdict: CountVerdict
    effect: float


class _Tool(NamedTuple):
    counter: Counter
    name: str
    reason: str


def count_instructions(
    subject: Subject,
    inputs: Sequence[str],
    folder: Path,
    *,
    calls: int = COUNT_CALLS,
    threads: int = 1,
    timeout_seconds: float = 300.0,
) -> InstructionCount:
    """Count what a subject's calls take, in a fresh process that has loaded and warmed up before.

    Takes seconds below callgrind, where code runs tens of times slower; the process runs once without it,
    too, to tell a subject that fails from one that callgrind cannot run. With several threads the count
    holds whatever they do, waiting in a loop included, and is steady for one thread only.

    Args:
        subject: what is counted.
        inputs: texts; `calls` of them are answered, evenly spaced; from the start again where they are fewer.
        folder: gets `<subject>.counts.json`, with the count of every call.
        calls: how many calls are counted.
        threads: thread budget of the subject, and the number of cores that it may use.
        timeout_seconds: how long the process may take.

    Raises:
        MissingRuntimeError: if nothing here can count.
        MeasurementError: if the process crashes, hangs, raises or answers None, or callgrind does not know
            an instruction that it runs. No process is left behind.

    Example:
        >>> upper = Subject("upper", "operator:methodcaller", ("upper",))
        >>> count_instructions(upper, ["a text"], tmp_path).per_call  # doctest: +SKIP
    """
    if not inputs or calls < 1 or threads < 1:
        raise BadInputError(
            f"{subject.name}: nothing to count: {calls} calls on {len(inputs)} inputs with {threads} threads"
        )
    tool = _find_tool()
    spaced = [inputs[number * len(inputs) // calls] for number in range(calls)]
    texts = spaced if calls <= len(inputs) else [inputs[number % len(inputs)] for number in range(calls)]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".counting-", dir=folder) as made:
        run = _Run(subject, texts, folder, Path(made), threads, timeout_seconds)
        native = None if tool.counter == "perf" else _run_process(run, "clock")
        counted = _run_process(run, tool.counter)
    result = InstructionCount(
        subject=subject.name,
        tool=tool.name,
        reason=tool.reason,
        isa=counted.isa,
        hidden=() if native is None else tuple(name for name in native.isa if name not in counted.isa),
        inputs_sha256=hashlib.sha256(json.dumps(texts).encode()).hexdigest(),
        calls=counted.calls,
        loop=round(statistics.median(counted.idle_calls)),
        seconds=counted.seconds,
        native_seconds=None if native is None else native.seconds,
        threads=threads,
        python=counted.python,
        hash_seed=child_environment(threads)["PYTHONHASHSEED"],
    )
    path = folder / f"{subject.file_stem}.counts.json"
    path.write_text(json.dumps(dataclasses.asdict(result), indent=1) + "\n", encoding="utf-8")
    return result


def compare_counts(candidate: InstructionCount, baseline: InstructionCount) -> CountChange:
    """Compare two counts of the same texts: the ratio of their totals, and whether that is a change.

    Raises:
        BadInputError: if they were counted in unlike ways; the message names each difference.
    """
    found = [
        f"{name}: {getattr(candidate, name)} / {getattr(baseline, name)}"
        for name in ("tool", "isa", "inputs_sha256", "threads", "python", "hash_seed")
        if getattr(candidate, name) != getattr(baseline, name)
    ]
    if len(candidate.calls) != len(baseline.calls):
        found.append(f"calls: {len(candidate.calls)} / {len(baseline.calls)}")
    if found:
        raise BadInputError(
            f"counts of {candidate.subject} and {baseline.subject} do not compare, count both alike: "
            + "; ".join(found)
        )
    ratio = candidate.total / max(1, baseline.total)
    verdict: CountVerdict = "no change"
    if ratio > 1 + COUNT_EFFECT:
        verdict = "more"
    elif ratio < 1 / (1 + COUNT_EFFECT):
        verdict = "fewer"
    return CountChange(ratio, verdict, COUNT_EFFECT)


class _Run(NamedTuple):
    """What both processes of a count get; `made` holds the texts and gets callgrind's files."""

    subject: Subject
    texts: list[str]
    folder: Path
    made: Path
    threads: int
    timeout_seconds: float


class _Counted(NamedTuple):
    calls: tuple[int, ...]
    idle_calls: tuple[int, ...]
    isa: tuple[str, ...]
    python: str
    seconds: float


class _CountedChild(Child):
    """A process that counts its calls and ends."""

    def count(self, run: _Run, counter: Counter) -> dict[str, Any]:
        """Spawn it, below valgrind where that counts, and wait for its report."""
        self._reply, reply = os.pipe()
        lifeline, self._lifeline = os.pipe()
        below = (
            [
                *_VALGRIND,
                f"--callgrind-out-file={run.made / 'dump'}",
                f"--log-file={run.made / 'valgrind.log'}",
            ]
            if counter == "callgrind"
            else []
        )
        texts = run.made / "texts.json"
        texts.write_text(json.dumps(run.texts), encoding="utf-8")
        try:
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    [
                        *(*below, self.subject.python or sys.executable, "-P", "-m", worker.__name__),
                        *(str(reply), str(lifeline), str(run.threads), counter, str(texts)),
                        *(self.subject.factory, *self.subject.args),
                    ],
                    env=child_environment(run.threads),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(reply, lifeline),
                    process_group=0,
                )
        finally:
            os.close(reply)
            os.close(lifeline)
        report = self._receive("counted", f"being counted ({counter})", run.timeout_seconds)
        self.kill()
        if not self._log.stat().st_size:
            self._log.unlink()
        return report


def _run_process(run: _Run, counter: Counter) -> _Counted:
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
    return _Counted(tuple(calls), tuple(idle_calls), tuple(report["isa"]), report["python"], seconds)


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


def _find_tool() -> _Tool:
    """Choose what counts: the machine's counters where they really do, else callgrind."""
    try:
        file = open_perf()
    except OSError as error:
        refusal = f"the instruction counter does not open ({_REFUSALS.get(error.errno or 0, error.strerror)})"
    else:
        os.close(file)
        return _Tool("perf", f"perf_event_open, Linux {platform.release()}", "this machine's counters work")
    program = shutil.which("valgrind")
    if program is None:
        raise MissingRuntimeError(
            f"instructions cannot be counted: {refusal}, and valgrind is not installed; install valgrind "
            "(Debian, Ubuntu: apt-get install valgrind), or count on a machine with performance counters"
        )
    version = subprocess.run(
        [program, "--version"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return _Tool("callgrind", f"callgrind of {version or 'valgrind'}", refusal)
