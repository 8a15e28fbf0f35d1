"""What `edgekd bench ARTIFACT` calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from edgekd.ci.artifacts import artifact_subject
from edgekd.ci.cases import Alone, limit_cases
from edgekd.ci.limits import holds
from edgekd.ci.line import result_line
from edgekd.ci.write import write_ci_files
from edgekd.cli.bench_case import Asked, Case, limit_lines, open_device
from edgekd.cli.comparing import compare_both, compare_with_kept
from edgekd.cli.outcome import Outcome
from edgekd.compile import Artifact
from edgekd.config import Target, load_target
from edgekd.errors import MissingRuntimeError, unknown_name
from edgekd.measure.basis import find_basis
from edgekd.measure.bench_file import FILE_NAME
from edgekd.measure.environment import read_environment
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.result import BenchResult
from edgekd.pipeline.needs import require_libraries
from edgekd.plugins import list_plugins
from edgekd.progress import show_progress
from edgekd.report import bench as words
from edgekd.serving.heads import takes_candidates
from edgekd.single.bench import (
    Texts,
    bench_artifact,
    open_for_bench,
    read_texts,
    streams_of,
    token_buckets,
)
from edgekd.single.requests import COUNTS, bench_by_candidates, fit_texts


def bench_or_compare(asked: Asked) -> Outcome:
    """Measure the artifact, or compare it with a baseline.

    The exit code is 1 where it is slower than the baseline, where that is too noisy to say, and where the
    artifact is not shown to be within a limit.
    """
    artifact = _open(asked.artifact, asked.on)
    target = _target(asked, artifact)
    case = Case(asked, artifact, read_texts(asked.texts), target)
    case = replace(case, texts=fit_texts(artifact, case.texts, case.candidates))
    if asked.count:
        return _count(asked, artifact, case.texts)
    if asked.baseline is None:
        return _bench(case)
    if (asked.baseline / FILE_NAME).is_file():
        return compare_with_kept(case, asked.baseline)
    return compare_both(case, _open(asked.baseline, asked.on))


def _bench(case: Case) -> Outcome:
    asked, artifact, texts, target, name = case.asked, case.artifact, case.texts, case.target, case.name
    counted: Sequence[tuple[int, BenchResult]] = ()
    plan = replace(MeasurePlan(), threads=max(case.threads, streams_of(artifact)))
    with open_device(asked.on) as device, show_progress("bench") as progress:
        if takes_candidates(artifact.head):
            counts = tuple(sorted({*COUNTS, case.candidates}))
            counted = bench_by_candidates(
                artifact, texts, asked.out, plan, progress, device, counts=counts
            ).results
            result = dict(counted)[case.candidates]
        else:
            result = bench_artifact(artifact, texts, asked.out, plan, progress, device)
        checks = case.check(result, device)
    if checks:
        alone = Alone(name, result, result_line(result, name))
        write_ci_files([], asked.out, cases=limit_cases(name, checks), alone=[alone])
    buckets = token_buckets(artifact, texts) if asked.on is None and not counted else None
    lines = [
        *words.bench_lines(result, name, buckets),
        *words.candidates_lines(counted, name),
        *words.size_and_cost_lines(result, name, artifact.size_bytes, target),
        *limit_lines(case, checks),
    ]
    document = words.bench_document(result, name, buckets)
    if counted:
        document["by_candidates"] = words.candidates_document(counted, name)
    document |= {"artifact": artifact.digest, "artifact_bytes": artifact.size_bytes, "texts": texts.source}
    document["cost_per_1000_usd"] = words.cost_usd(result, name, target)
    document["limits"] = [check.to_json() for check in checks]
    for scenario in asked.also:
        said, found = _also(scenario, asked, artifact, texts, target)
        lines += said
        document[scenario] = found
    lines += [f"  ! {flag}" for flag in result.flags]
    lines.append(f"  texts: {texts.source}; samples: {asked.out}")
    return Outcome(tuple(lines), document, int(not holds(checks)))


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


def _target(asked: Asked, artifact: Artifact) -> Target | None:
    """Read the target that is named, as it is for the artifact's task.

    Raises:
        MissingRuntimeError: it cannot be measured on this machine, and no other one is asked.
    """
    if asked.target is None:
        return None
    target = load_target(asked.target, Path()).of_task(artifact.manifest["task"])
    basis, reason = find_basis(target.hardware, read_environment(1))
    if asked.on is None and basis == "not measured":
        raise MissingRuntimeError(f"target {target.name}: cannot be measured here: {reason}")
    return target
