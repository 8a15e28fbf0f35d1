"""What `edgekd bench ARTIFACT` calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from edgekd.ci.artifacts import artifact_subject
from edgekd.ci.line import comparison_line, judge
from edgekd.ci.write import write_ci_files
from edgekd.cli.outcome import Outcome
from edgekd.compile import Artifact
from edgekd.config import Target, load_target
from edgekd.errors import BadInputError, MissingRuntimeError, unknown_name
from edgekd.measure.bench_file import FILE_NAME, load_bench
from edgekd.measure.device import Device, ThisMachine
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.result import BenchResult
from edgekd.measure.stored import STORED_RULE, compare_with_stored
from edgekd.pipeline.needs import require_libraries
from edgekd.plugins import list_plugins
from edgekd.progress import show_progress
from edgekd.report import bench as words
from edgekd.serving.heads import takes_candidates
from edgekd.single.bench import (
    Texts,
    bench_artifact,
    compare_artifacts,
    open_for_bench,
    read_texts,
    streams_of,
    token_buckets,
)
from edgekd.single.requests import USUAL, bench_by_candidates, fit_texts

ALSO = ("offline", "server", "floor")


@dataclass(frozen=True)
class Asked:
    """What was asked for on the command line."""

    artifact: Path
    baseline: Path | None = None
    texts: Path | None = None
    out: Path = Path("edgekd-bench")
    on: str | None = None
    also: tuple[str, ...] = ()
    count: bool = False
    effect: float = 0.03
    target: str | None = None


def bench_or_compare(asked: Asked) -> Outcome:
    """Measure the artifact, or compare it with a baseline."""
    if asked.on and (asked.also or asked.count):
        raise BadInputError("--on goes with latency alone; leave out --also and --count, or run them there")
    artifact = _open(asked.artifact, asked.on)
    texts = fit_texts(artifact, read_texts(asked.texts))
    if asked.count:
        return _count(asked, artifact, texts)
    if asked.baseline is None:
        return _bench(asked, artifact, texts)
    if (asked.baseline / FILE_NAME).is_file():
        return _compare_with_stored(asked, artifact, texts)
    baseline = _open(asked.baseline, asked.on)
    with _device(asked.on) as device, show_progress("compare") as progress:
        found = compare_artifacts(
            artifact, baseline, texts, asked.out, effect=asked.effect, progress=progress, device=device
        )
    write_ci_files([found], asked.out)
    lines = [comparison_line(found), *(f"  ! {flag}" for flag in found.result.flags)]
    lines += [f"  texts: {texts.source}; samples and summary.md, junit.xml, benchmark.json: {asked.out}"]
    return Outcome(tuple(lines), words.comparison_document(found), int(judge(found) != "passed"))


def _bench(asked: Asked, artifact: Artifact, texts: Texts) -> Outcome:
    name, target = artifact_subject(artifact, 1).name, _target(asked.target, artifact)
    counted: Sequence[tuple[int, BenchResult]] = ()
    plan = MeasurePlan(threads=streams_of(artifact))
    with _device(asked.on) as device, show_progress("bench") as progress:
        if takes_candidates(artifact.head):
            counted = bench_by_candidates(artifact, texts, asked.out, plan, progress, device).results
            result = dict(counted)[USUAL]
        else:
            result = bench_artifact(artifact, texts, asked.out, plan, progress, device)
    buckets = token_buckets(artifact, texts) if asked.on is None and not counted else None
    lines = [
        *words.bench_lines(result, name, buckets),
        *words.candidates_lines(counted, name),
        *words.size_and_cost_lines(result, name, artifact.size_bytes, target),
    ]
    document = words.bench_document(result, name, buckets)
    if counted:
        document["by_candidates"] = words.candidates_document(counted, name)
    document |= {"artifact": artifact.digest, "artifact_bytes": artifact.size_bytes, "texts": texts.source}
    document["cost_per_1000_usd"] = words.cost_usd(result, name, target)
    for scenario in asked.also:
        said, found = _also(scenario, asked, artifact, texts, target)
        lines += said
        document[scenario] = found
    lines += [f"  ! {flag}" for flag in result.flags]
    return Outcome((*lines, f"  texts: {texts.source}; samples: {asked.out}"), document)


def _also(
    scenario: str, asked: Asked, artifact: Artifact, texts: Texts, target: Target | None
) -> tuple[list[str], Any]:
    from edgekd.report import scenarios
    from edgekd.single.scenarios import run_floor, run_offline, run_server

    folder = asked.out / scenario
    with show_progress(scenario) as progress:
        if scenario == "offline":
            offline = run_offline(artifact, texts, folder)
            rates = [(scenarios.lengths_of(b), r.throughput(offline.subject)) for b, r in offline.by_length]
            said, found = scenarios.offline(rates, scenarios.name_mode(offline.streams))
            if offline.latency_mode:
                _, both = offline.by_length[0]
                rate = both.throughput(offline.latency_mode)
                ratio = both.ratio(offline.subject, offline.latency_mode)
                more, beside = scenarios.modes(rate, ratio, offline.streams)
                said, found = [*said, *more], [*found, beside]
            return said, found
        if scenario == "floor":
            say = partial(progress, 0.0)
            return scenarios.floor(run_floor(artifact, texts, folder, say))
        limit_ms = target.limits.p95_ms if target and target.limits.p95_ms else scenarios.LIMIT_MS
        server = run_server(artifact, texts, folder, limit_ms)
        return scenarios.server(server.most, server.qps, server.by_length)


def _compare_with_stored(asked: Asked, artifact: Artifact, texts: Texts) -> Outcome:
    assert asked.baseline is not None
    stored = load_bench(asked.baseline)
    if asked.out.resolve() == asked.baseline.resolve():
        raise BadInputError(f"{asked.out}: would replace the baseline; give another folder with --out")
    with _device(asked.on) as device, show_progress("bench") as progress:
        result = bench_artifact(artifact, texts, asked.out, stored.plan, progress, device)
    changes = [compare_with_stored(result, stored, q) for q in (0.5, 0.95)]
    lines = [words.stored_line(changes, result, stored), *(f"  ! {flag}" for flag in result.flags)]
    verdict = changes[0].verdict
    documents = [words.stored_document(change) for change in changes]
    document = {"verdict": verdict, "changes": documents, "guard": STORED_RULE.guard}
    slower = "slower" in (change.verdict for change in changes)
    return Outcome(tuple(lines), document, int(slower or verdict == "too noisy"))


def _count(asked: Asked, artifact: Artifact, texts: Texts) -> Outcome:
    from edgekd.measure.counting.count import count_instructions
    from edgekd.measure.counting.result import compare_counts
    from edgekd.report import scenarios

    counted = [count_instructions(artifact_subject(artifact, 1), texts.texts, asked.out)]
    if asked.baseline is None:
        return Outcome(*scenarios.count(counted[0]))
    baseline = artifact_subject(_open(asked.baseline, None), 1)
    counted.append(count_instructions(baseline, texts.texts, asked.out / "baseline"))
    change = compare_counts(*counted)
    return Outcome(*scenarios.count(counted[0], change), int(change.verdict == "more"))


def _open(path: Path, host: str | None) -> Artifact:
    artifact = open_for_bench(path)
    known = list_plugins("runtimes")
    if artifact.runtime not in known:
        raise MissingRuntimeError(f"{path}: {unknown_name('runtime', artifact.runtime, known)}")
    if host is None:
        require_libraries((artifact.runtime, "tokenizers"))
    return artifact


def _target(name: str | None, artifact: Artifact) -> Target | None:
    return None if name is None else load_target(name, Path()).of_task(artifact.manifest["task"])


@contextmanager
def _device(host: str | None) -> Iterator[Device]:
    if host is None:
        yield ThisMachine()
        return
    from edgekd.measure.remote.ssh import open_ssh

    with open_ssh(host) as device:
        yield device
