"""An open-loop server: requests arrive at random at a given rate, whether or not the last one is answered.

One worker answers in order of arrival, because an open model is not safe for concurrent calls: M/G/1 in
queueing theory. Latency counts from the scheduled arrival, so that a stall counts for every request that
queued behind it. Latencies in a queue depend on those before them; intervals are therefore over fresh
processes, each with a schedule of its own. Runs on this machine only.
"""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgekd.errors import BadInputError
from edgekd.measure.environment import quiet_cores, read_environment
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.process import Child
from edgekd.measure.process_bench import Scheduling
from edgekd.measure.scenarios.buckets import digest_inputs
from edgekd.measure.scenarios.requests import draw_arrivals
from edgekd.measure.scenarios.server_result import (
    ServerProcess,
    ServerResult,
    find_server_flags,
    save_document,
)
from edgekd.measure.session import clear_folder
from edgekd.measure.subject import Subject

SERVER_PLAN = MeasurePlan(rounds=5, seconds=1.0, warmup_seconds=0.1)
# A queue this long is overloaded for any limit that a person would set.
MAX_WAIT_MS = 1000.0
FILE_NAME = "server.json"


def measure_server(
    subject: Subject,
    inputs: Sequence[str],
    folder: Path,
    qps: float,
    plan: MeasurePlan = SERVER_PLAN,
    *,
    max_wait_ms: float = MAX_WAIT_MS,
) -> ServerResult:
    """Send a subject requests at random, `qps` a second, and keep what each one met.

    Each round is a fresh process and another schedule: `plan.warmup_seconds` of calls in a closed loop, as
    long again of requests that fill the queue and do not count, then `plan.seconds` of requests that do. A
    process whose requests wait longer than `max_wait_ms` ends there; the result then is overloaded, and no
    further round is run. Blocks, precision and budget of the plan are not used.

    Raises:
        MeasurementError: if a process crashes, hangs, raises or answers None. No process is left behind.

    Example:
        >>> upper = Subject("upper", "operator:methodcaller", ("upper",))
        >>> result = measure_server(upper, ["a text"], tmp_path, qps=500.0)  # doctest: +SKIP
        >>> result.latency(0.95)  # doctest: +SKIP
    """
    if not inputs:
        raise BadInputError("no texts to answer: give at least one")
    if not (0 < qps < 1e6 and max_wait_ms > 0):
        raise BadInputError(f"expected 0 < qps < 1e6 and max_wait_ms > 0, got {qps:g} and {max_wait_ms:g}")
    clear_folder(folder, FILE_NAME)
    environment, cores = read_environment(plan.threads), quiet_cores(plan.threads)
    processes: list[ServerProcess] = []
    for number in range(plan.rounds):
        processes.append(_run_process(subject, inputs, folder, qps, plan, max_wait_ms, cores, number))
        if not processes[-1].is_complete:
            break
    result = ServerResult(
        *(subject.name, subject.factory, subject.args, qps, max_wait_ms, environment, cores, plan),
        *(len(inputs), digest_inputs(inputs), tuple(processes), (), folder),
    )
    result = dataclasses.replace(result, flags=tuple(find_server_flags(result)))
    save_document(folder / FILE_NAME, dataclasses.asdict(result))
    return result


class _Server(Child):
    """A process that meets a schedule of arrivals by itself."""

    def meet(
        self, plan: MeasurePlan, cores: Sequence[int], paths: Sequence[Path], max_wait_ns: int
    ) -> dict[str, Any]:
        """Spawn the process, sleep until it has met its schedule, and return its report."""
        reply, lifeline = self.open_pipes()
        settings = [reply, lifeline, ",".join(map(str, cores)), int(plan.warmup_seconds * 1e9), max_wait_ns]
        ends = (reply, lifeline)
        self.spawn("edgekd.measure.scenarios.arrivals_worker", [*settings, *paths], plan.threads, ends)
        self._receive("loaded", "loading and answering the first input", plan.timeout_seconds)
        self._receive("ready", "warming up", plan.timeout_seconds)
        schedule_seconds = plan.warmup_seconds + plan.seconds + max_wait_ns / 1e9
        return self.take_report("done", "answering arrivals", schedule_seconds + plan.timeout_seconds)


def _run_process(
    subject: Subject,
    inputs: Sequence[str],
    folder: Path,
    qps: float,
    plan: MeasurePlan,
    max_wait_ms: float,
    cores: Sequence[int],
    number: int,
) -> ServerProcess:
    """Run one round: one process, one schedule."""
    stem = f"{subject.file_stem}-{number}"
    names = [f"latency/{stem}{end}" for end in (".npy", "-warmup.npy", ".json")]
    order = list(range(len(inputs)))
    random.Random(f"{plan.seed} {number}").shuffle(order)
    due_ns = draw_arrivals(qps, plan.warmup_seconds + plan.seconds, f"arrivals {plan.seed} {number}")
    schedule = {"texts": list(inputs), "order": order, "due_ns": due_ns}
    with _schedule_file(folder / ".schedule.json", schedule) as path:
        child = _Server(subject, folder / "stderr" / f"{stem}.log")
        try:
            paths = [path, *(folder / name for name in names)]
            report = child.meet(plan, cores, paths, int(max_wait_ms * 1e6))
        finally:
            child.kill()
    samples, warmup, answers = names
    return ServerProcess(
        round=number,
        samples=samples,
        warmup=warmup,
        answers=answers,
        arrived=len(due_ns),
        answered=report["answered"],
        is_complete=report["is_complete"],
        elapsed_ns=report["elapsed_ns"],
        has_exact_timer=report["has_exact_timer"],
        scheduling=Scheduling(**report["scheduling"]),
    )


@contextmanager
def _schedule_file(path: Path, schedule: dict[str, Any]) -> Iterator[Path]:
    """Write what the process reads; it goes afterwards, because the samples say when each request was due."""
    path.write_text(json.dumps(schedule), encoding="utf-8")
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
