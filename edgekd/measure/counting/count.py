"""Count the instructions of calls instead of timing them: for machines that are shared, such as CI runners.

A count does not depend on who else uses the machine, so that one process a subject is enough; it does not
know what a cache miss or a wide instruction costs, so that it finds a change and is no latency. Where the
machine's performance counters work they count what really runs; elsewhere valgrind's callgrind counts what
runs on the CPU that it imitates, which lacks AVX-512: runtimes then pick other kernels.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from edgekd.errors import BadInputError
from edgekd.measure.counting.process import Run, find_tool, run_process
from edgekd.measure.counting.result import InstructionCount
from edgekd.measure.process import child_environment
from edgekd.measure.subject import Subject

COUNT_CALLS = 32


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
    tool = find_tool()
    spaced = [inputs[number * len(inputs) // calls] for number in range(calls)]
    texts = spaced if calls <= len(inputs) else [inputs[number % len(inputs)] for number in range(calls)]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".counting-", dir=folder) as made:
        run = Run(subject, texts, folder, Path(made), threads, timeout_seconds)
        native = None if tool.counter == "perf" else run_process(run, "clock")
        counted = run_process(run, tool.counter)
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
