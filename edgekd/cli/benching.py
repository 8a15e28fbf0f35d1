"""What `edgekd bench ARTIFACT` calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from edgekd.ci.artifacts import artifact_subject
from edgekd.ci.cases import Alone, limit_cases
from edgekd.ci.limits import NO_LIMITS, JobLimits, check_limits, holds, limit_line, plan_longer
from edgekd.ci.line import comparison_line, judge, result_line
from edgekd.ci.write import write_ci_files
from edgekd.cli.outcome import Outcome
from edgekd.compile import Artifact
from edgekd.config import Target, load_target
from edgekd.errors import BadInputError, MissingRuntimeError, unknown_name
from edgekd.gate.check import Check
from edgekd.measure.basis import find_basis
from edgekd.measure.bench_file import FILE_NAME, load_bench
from edgekd.measure.compare import COMPARE_PLAN
from edgekd.measure.device import Device, ThisMachine
from edgekd.measure.environment import read_environment
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
from edgekd.single.requests import COUNTS, USUAL, bench_by_candidates, fit_texts

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
    limits: JobLimits = NO_LIMITS


@dataclass(frozen=True)
class Case:
    """What is measured, by what, and against which limits."""

    asked: Asked
    artifact: Artifact
    texts: Texts
    target: Target | None

    @property
    def name(self) -> str:
        """What results call the artifact."""
        return artifact_subject(self.artifact, self.threads).name

    @property
    def threads(self) -> int:
        """Threads that the runtime may use: as on the target, if one is named."""
        return 1 if self.target is None else self.target.threads

    @property
    def candidates(self) -> int:
        """Candidates of the requests of which the limit on p95 is."""
        return USUAL if self.target is None else self.target.limits.candidates or USUAL

    def check(self, result: BenchResult, device: Device) -> tuple[Check, ...]:
        """Hold a measurement of the artifact against the limits of the command line and of the target.

        Where it had too few calls for a p95 that has a limit, the artifact is measured again, alone.
        """
        limits = self.asked.limits.over(self.target)
        if plan := plan_longer(limits, result, self.name):
            with show_progress("limits") as progress:
                folder = self.asked.out / "limits"
                result = bench_artifact(self.artifact, self.texts, folder, plan, progress, device)
        return check_limits(limits, result, self.name, self.artifact.size_bytes, self.artifact.recipe)


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
        return _compare_with_stored(case, asked.baseline)
    return _compare(case, _open(asked.baseline, asked.on))


def _compare(case: Case, baseline: Artifact) -> Outcome:
    asked, plan = case.asked, replace(COMPARE_PLAN, threads=case.threads)
    with _device(asked.on) as device, show_progress("compare") as progress:
        found = compare_artifacts(
            case.artifact,
            baseline,
            case.texts,
            asked.out,
            effect=asked.effect,
            plan=plan,
            progress=progress,
            device=device,
        )
        checks = case.check(found.result, device)
    write_ci_files([found], asked.out, cases=limit_cases(case.name, checks))
    lines = [comparison_line(found), *_limit_lines(case, checks)]
    lines += [f"  ! {flag}" for flag in found.result.flags]
    lines += [f"  texts: {case.texts.source}; samples and summary.md, junit.xml, benchmark.json: {asked.out}"]
    document = {**words.comparison_document(found), "limits": [check.to_json() for check in checks]}
    return Outcome(tuple(lines), document, int(judge(found) != "passed" or not holds(checks)))


def _bench(case: Case) -> Outcome:
    asked, artifact, texts, target, name = case.asked, case.artifact, case.texts, case.target, case.name
    counted: Sequence[tuple[int, BenchResult]] = ()
    plan = replace(MeasurePlan(), threads=max(case.threads, streams_of(artifact)))
    with _device(asked.on) as device, show_progress("bench") as progress:
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
        *_limit_lines(case, checks),
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


def _limit_lines(case: Case, checks: Sequence[Check]) -> list[str]:
    lines = [f"  limit {limit_line(check)}" for check in checks]
    if case.target is not None and checks and case.asked.on is None:
        basis, reason = find_basis(case.target.hardware, read_environment(1))
        lines.append(f"  limits of {case.target.name}, {basis}: {reason}")
    return lines


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


def _compare_with_stored(case: Case, baseline: Path) -> Outcome:
    asked, stored = case.asked, load_bench(baseline)
    if asked.out.resolve() == baseline.resolve():
        raise BadInputError(f"{asked.out}: would replace the baseline; give another folder with --out")
    if case.target is not None and case.threads != stored.plan.threads:
        raise BadInputError(
            f"{baseline}: was measured with {stored.plan.threads} thread(s), and target {case.target.name} "
            f"has {case.threads}; measure the baseline again with --target {case.target.name}"
        )
    with _device(asked.on) as device, show_progress("bench") as progress:
        result = bench_artifact(case.artifact, case.texts, asked.out, stored.plan, progress, device)
        checks = case.check(result, device)
    changes = [compare_with_stored(result, stored, q) for q in (0.5, 0.95)]
    lines = [words.stored_line(changes, result, stored), *_limit_lines(case, checks)]
    lines += [f"  ! {flag}" for flag in result.flags]
    verdict = changes[0].verdict
    documents = [words.stored_document(change) for change in changes]
    document = {"verdict": verdict, "changes": documents, "guard": STORED_RULE.guard}
    document["limits"] = [check.to_json() for check in checks]
    slower = "slower" in (change.verdict for change in changes)
    return Outcome(tuple(lines), document, int(slower or verdict == "too noisy" or not holds(checks)))


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


@contextmanager
def _device(host: str | None) -> Iterator[Device]:
    if host is None:
        yield ThisMachine()
        return
    from edgekd.measure.remote.ssh import open_ssh

    with open_ssh(host) as device:
        yield device
