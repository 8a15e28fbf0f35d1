"""Latency tests of artifacts, for pytest: built on pytest-benchmark, measured and judged by edgekd.

    def test_latency(edgekd_benchmark, edgekd_artifact):
        edgekd_benchmark(edgekd_artifact, ["where is my order?", "i want my money back"])

pytest loads this module whenever it starts, so that it imports nothing until a test measures.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import pytest

if TYPE_CHECKING:
    from edgekd.ci.cases import Alone, CaseOutcome, JobCase
    from edgekd.ci.feed import Benchmark
    from edgekd.ci.limits import JobLimits
    from edgekd.compile import Artifact
    from edgekd.gate.check import Check
    from edgekd.measure.compare import Comparison
    from edgekd.measure.result import BenchResult

_FOLDERS = ("edgekd_artifacts", "edgekd_baseline")
_LIMITS = ("p95_ms", "memory_mib")


class _Seen(NamedTuple):
    """What the session's tests measured: a line each, the comparisons, the rest, and other cases."""

    lines: list[str]
    comparisons: list[Comparison]
    alone: list[Alone]
    cases: list[JobCase]

    def add_case(self, subject: str, name: str, outcome: CaseOutcome, line: str) -> None:
        from edgekd.ci.cases import JobCase

        self.cases.append(JobCase(subject, name, outcome, line))


_SEEN = pytest.StashKey[_Seen]()


class Measure(Protocol):
    """What the fixture `edgekd_benchmark` is."""

    def __call__(
        self, artifact_folder: Path, texts: Sequence[str], baseline: Path | None = None
    ) -> BenchResult:
        """Measure an artifact through its own loader; compare it where there is a baseline."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the folders that a job names."""
    group = parser.getgroup("edgekd", "latency of artifacts (edgekd)")
    group.addoption(
        "--edgekd-artifacts", type=Path, metavar="DIR", help="artifacts that `edgekd_artifact` stands for"
    )
    group.addoption(
        "--edgekd-baseline",
        type=Path,
        metavar="DIR",
        help="artifacts of the same names to compare with: slower, or too noisy to say, fails the test",
    )
    group.addoption(
        "--edgekd-p95-ms", type=float, metavar="MS", help="fail unless p95 is shown to be within this limit"
    )
    group.addoption(
        "--edgekd-memory-mib", type=float, metavar="MIB", help="fail where peak memory is above this limit"
    )
    group.addoption(
        "--edgekd-ci", type=Path, metavar="DIR", help="write summary.md, junit.xml and benchmark.json there"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse folders without an artifact, and limits that are none: a typing error must not pass.

    The job's files say so, too.
    """
    config.stash[_SEEN] = _Seen([], [], [], [])
    for name in _FOLDERS:
        folder = config.getoption(name)
        if folder is None:
            continue
        option = f"--{name.replace('_', '-')}"
        if not folder.is_dir():
            _refuse(config, f"{option}: {folder} is no folder; name a folder of artifacts")
        from edgekd.ci.artifacts import find_artifacts

        if not find_artifacts(folder):
            _refuse(
                config, f"{option}: no artifacts in {folder}, nor up to two folders below; {_ADVICE[name]}"
            )
    if any(config.getoption(f"edgekd_{name}") is not None for name in _LIMITS):
        from edgekd.errors import BadInputError

        try:
            _limits(config)
        except BadInputError as error:
            _refuse(config, f"--edgekd-{str(error).removeprefix('--')}")


_ADVICE = {
    "edgekd_artifacts": "compile or fetch them before the tests, or give another folder",
    "edgekd_baseline": "leave the option out as long as there is no baseline",
}


def _refuse(config: pytest.Config, message: str) -> None:
    config.stash[_SEEN].add_case("edgekd", "options", "error", message)
    _write_files(config)
    raise pytest.UsageError(message)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once for each artifact; where no folder is named it is skipped, and says so."""
    if "edgekd_artifact" not in metafunc.fixturenames:
        return
    folder = metafunc.config.getoption("edgekd_artifacts")
    names: list[str] = []
    reason = "no artifacts: give --edgekd-artifacts DIR"
    if folder is not None:
        from edgekd.ci.artifacts import find_artifacts

        names = [path.relative_to(folder).as_posix() for path in find_artifacts(folder)]
    none = pytest.param(None, marks=pytest.mark.skip(reason=reason) if folder is None else (), id="none")
    # By name and not by path: pytest-benchmark stores parameters, and compares them between machines.
    metafunc.parametrize("edgekd_artifact", names or [none], indirect=True)


@pytest.fixture
def edgekd_artifact(request: pytest.FixtureRequest) -> Path:
    """One of the artifacts in `--edgekd-artifacts`."""
    folder: Path = request.config.getoption("edgekd_artifacts")
    if request.param is None:
        pytest.fail(f"no artifacts in {folder}; {_ADVICE['edgekd_artifacts']}", pytrace=False)
    return folder / str(request.param)


@pytest.fixture
def edgekd_benchmark(
    benchmark: Benchmark, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Measure:
    """Measure an artifact in fresh processes; fail where it is slower than its baseline or over a limit.

    The candidate's raw samples are pytest-benchmark's; percentiles with intervals, memory, environment and
    verdict stand in `benchmark.extra_info`. Without `baseline` the artifact of the same name in
    `--edgekd-baseline` is taken.
    """
    config = request.config
    seen = config.stash[_SEEN]

    def measure(artifact_folder: Path, texts: Sequence[str], baseline: Path | None = None) -> BenchResult:
        place = _place(artifact_folder, config)
        if not benchmark.enabled:
            _skip(config, place)
        from edgekd.errors import EdgekdError

        baseline = baseline or _baseline_of(artifact_folder, config)
        folder = tmp_path_factory.mktemp("edgekd")
        try:
            result, comparison, checks = _measure(benchmark, artifact_folder, texts, baseline, folder, config)
        except EdgekdError as error:
            benchmark.has_error = True
            seen.add_case(place, "measured", "error", str(error))
            pytest.fail(str(error), pytrace=False)
        _fail_unless_passed(comparison, checks)
        return result

    return measure


def _place(artifact_folder: Path, config: pytest.Config) -> str:
    """Name an artifact by where it lies among those of the job."""
    artifacts, place = config.getoption("edgekd_artifacts"), artifact_folder.absolute()
    if artifacts is not None and place.is_relative_to(artifacts.absolute()):
        return place.relative_to(artifacts.absolute()).as_posix()
    return artifact_folder.name


def _skip(config: pytest.Config, place: str) -> None:
    """Skip a test that may not measure; a job that names its artifacts must not pass that way unasked."""
    if not config.getoption("benchmark_disable") and config.getoption("edgekd_artifacts") is not None:
        line = "tests run in parallel, where no time can be measured: leave out -n for these tests"
        config.stash[_SEEN].add_case(place, "measured", "error", line)
        pytest.fail(line, pytrace=False)
    line = "benchmarks are disabled, by --benchmark-disable or because tests run in parallel"
    config.stash[_SEEN].add_case(place, "measured", "skipped", line)
    pytest.skip(line)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the job's files, whatever happened; a job in which no test measured anything is no pass."""
    config = session.config
    seen = config.stash[_SEEN]
    is_worker = hasattr(config, "workerinput")  # of pytest-xdist, whose main process has seen no test
    if config.getoption("edgekd_ci") is None or is_worker or config.getoption("collectonly"):
        return
    if not (seen.comparisons or seen.alone or seen.cases):
        line = "no test measured anything: is edgekd_benchmark called, and the test selected?"
        seen.lines.append(line)
        seen.add_case("edgekd", "session", "error", line)
        if session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
    _write_files(config)


def _write_files(config: pytest.Config) -> None:
    """Write the job's files, where a folder is named for them."""
    folder, seen = config.getoption("edgekd_ci"), config.stash[_SEEN]
    if folder is None:
        return
    from edgekd.ci.write import write_ci_files
    from edgekd.errors import BadInputError

    try:
        write_ci_files(seen.comparisons, folder, cases=seen.cases, alone=seen.alone)
    except BadInputError as error:
        raise pytest.UsageError(f"--edgekd-ci: {error}") from None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show a line for every measurement, those that passed too."""
    lines = config.stash[_SEEN].lines
    if lines:
        terminalreporter.section("edgekd")
        for line in lines:
            terminalreporter.line(line)


def _baseline_of(artifact: Path, config: pytest.Config) -> Path | None:
    baselines = config.getoption("edgekd_baseline")
    if baselines is None:
        return None
    from edgekd.ci.artifacts import find_baseline

    return find_baseline(artifact, config.getoption("edgekd_artifacts"), baselines)


def _limits(config: pytest.Config) -> JobLimits:
    from edgekd.ci.limits import JobLimits

    return JobLimits(*(config.getoption(f"edgekd_{name}") for name in _LIMITS))


def _measure(
    benchmark: Benchmark,
    artifact_folder: Path,
    texts: Sequence[str],
    baseline: Path | None,
    folder: Path,
    config: pytest.Config,
) -> tuple[BenchResult, Comparison | None, tuple[Check, ...]]:
    """Measure, show and keep; the samples stay in `folder` as long as pytest keeps it."""
    from edgekd.ci.artifacts import artifact_pair, artifact_subject
    from edgekd.ci.cases import Alone, limit_cases
    from edgekd.ci.feed import claim_benchmark, feed_benchmark
    from edgekd.ci.limits import limit_line
    from edgekd.ci.line import comparison_line, result_line
    from edgekd.compile import open_artifact
    from edgekd.measure.compare import COMPARE_PLAN, compare_subjects
    from edgekd.measure.plan import MeasurePlan
    from edgekd.measure.session import measure_subjects

    seen = config.stash[_SEEN]
    claim_benchmark(benchmark)
    artifact, comparison = open_artifact(artifact_folder), None
    if baseline is None:
        plan = MeasurePlan()
        subject = artifact_subject(artifact, plan.threads)
        result = measure_subjects([subject], texts, folder, plan)
        line = result_line(result, subject.name)
        seen.alone.append(Alone(subject.name, result, line))
        seen.add_case(subject.name, "measured", "passed", line)
        seen.lines.append(line)
    else:
        subject, other = artifact_pair(artifact, open_artifact(baseline), COMPARE_PLAN.threads)
        comparison = compare_subjects(subject, other, texts, folder)
        result = comparison.result
        seen.lines.append(comparison_line(comparison))
        seen.comparisons.append(comparison)
    checks = _check_limits(artifact, result, texts, folder, config)
    seen.lines.extend(f"{limit_line(check)}: {subject.name}" for check in checks)
    seen.cases.extend(limit_cases(subject.name, checks))
    feed_benchmark(benchmark, subject.name, result, comparison)
    return result, comparison, checks


def _check_limits(
    artifact: Artifact, result: BenchResult, texts: Sequence[str], folder: Path, config: pytest.Config
) -> tuple[Check, ...]:
    """Hold the artifact against the session's limits; where p95 had too few calls it is measured again."""
    from edgekd.ci.artifacts import artifact_subject
    from edgekd.ci.limits import check_limits, plan_longer
    from edgekd.measure.session import measure_subjects

    limits, subject = _limits(config), artifact_subject(artifact, result.plan.threads)
    if plan := plan_longer(limits, result, subject.name):
        result = measure_subjects([subject], texts, folder / "limits", plan)
    return check_limits(limits, result, subject.name, artifact.size_bytes, artifact.recipe)


def _fail_unless_passed(comparison: Comparison | None, checks: tuple[Check, ...]) -> None:
    from edgekd.ci.limits import limit_line
    from edgekd.ci.line import comparison_line, judge, what_to_do

    outcome = "passed" if comparison is None else judge(comparison)
    failed = []
    if comparison is not None and outcome != "passed":
        todo = f"; to decide, {what_to_do(comparison)}" if outcome == "too noisy" else ""
        failed.append(f"{comparison_line(comparison)}{todo}")
    failed += [limit_line(check) for check in checks if not check.passes]
    if failed:
        pytest.fail("; ".join(failed), pytrace=False)
