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
    from edgekd.ci.feed import Benchmark
    from edgekd.measure.compare import Comparison
    from edgekd.measure.result import BenchResult

_FOLDERS = ("edgekd_artifacts", "edgekd_baseline")


class _Seen(NamedTuple):
    """What the session's tests measured: a line each, and the comparisons among them."""

    lines: list[str]
    comparisons: list[Comparison]


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
        "--edgekd-ci", type=Path, metavar="DIR", help="write summary.md, junit.xml and benchmark.json there"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a folder that is not there: a typing error must not pass for want of a baseline."""
    config.stash[_SEEN] = _Seen([], [])
    for name in _FOLDERS:
        folder = config.getoption(name)
        if folder is not None and not folder.is_dir():
            option = f"--{name.replace('_', '-')}"
            raise pytest.UsageError(f"{option}: {folder} is no folder; name a folder of artifacts")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once for each artifact; with none it is skipped, and says so."""
    if "edgekd_artifact" not in metafunc.fixturenames:
        return
    folder = metafunc.config.getoption("edgekd_artifacts")
    names: list[str] = []
    reason = "no artifacts: give --edgekd-artifacts DIR"
    if folder is not None:
        from edgekd.ci.artifacts import find_artifacts

        names = [path.relative_to(folder).as_posix() for path in find_artifacts(folder)]
        reason = f"no artifacts in {folder}: run edgekd gate, or give another --edgekd-artifacts DIR"
    none = pytest.param(None, marks=pytest.mark.skip(reason=reason), id="none")
    # By name and not by path: pytest-benchmark stores parameters, and compares them between machines.
    metafunc.parametrize("edgekd_artifact", names or [none], indirect=True)


@pytest.fixture
def edgekd_artifact(request: pytest.FixtureRequest) -> Path:
    """One of the artifacts in `--edgekd-artifacts`."""
    folder: Path = request.config.getoption("edgekd_artifacts")
    return folder / str(request.param)


@pytest.fixture
def edgekd_benchmark(
    benchmark: Benchmark, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Measure:
    """Measure an artifact in fresh processes, and fail the test where it is slower than its baseline.

    The candidate's raw samples are pytest-benchmark's; percentiles with intervals, memory, environment and
    verdict stand in `benchmark.extra_info`. Without `baseline` the artifact of the same name in
    `--edgekd-baseline` is taken.
    """
    seen = request.config.stash[_SEEN]

    def measure(artifact_folder: Path, texts: Sequence[str], baseline: Path | None = None) -> BenchResult:
        if not benchmark.enabled:
            pytest.skip("benchmarks are disabled, by --benchmark-disable or because tests run in parallel")
        from edgekd.errors import EdgekdError

        baseline = baseline or _baseline_of(artifact_folder, request.config)
        try:
            result, comparison = _measure(
                benchmark, artifact_folder, texts, baseline, tmp_path_factory.mktemp("edgekd"), seen
            )
        except EdgekdError as error:
            benchmark.has_error = True
            pytest.fail(str(error), pytrace=False)
        if comparison is not None:
            _fail_unless_passed(comparison)
        return result

    return measure


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the job's files."""
    folder, seen = session.config.getoption("edgekd_ci"), session.config.stash[_SEEN]
    if folder is None:
        return
    if not seen.comparisons:
        seen.lines.append(f"nothing was compared: no files in {folder}; give --edgekd-baseline DIR")
        return
    from edgekd.ci.write import write_ci_files

    write_ci_files(seen.comparisons, folder)


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


def _measure(
    benchmark: Benchmark,
    artifact: Path,
    texts: Sequence[str],
    baseline: Path | None,
    folder: Path,
    seen: _Seen,
) -> tuple[BenchResult, Comparison | None]:
    """Measure, show and keep; the samples stay in `folder` as long as pytest keeps it."""
    from edgekd.ci.artifacts import artifact_pair, artifact_subject
    from edgekd.ci.feed import claim_benchmark, feed_benchmark
    from edgekd.ci.line import comparison_line, result_line
    from edgekd.compile import open_artifact
    from edgekd.measure.compare import COMPARE_PLAN, compare_subjects
    from edgekd.measure.plan import MeasurePlan
    from edgekd.measure.session import measure_subjects

    claim_benchmark(benchmark)
    comparison = None
    if baseline is None:
        plan = MeasurePlan()
        subject = artifact_subject(open_artifact(artifact), plan.threads)
        result = measure_subjects([subject], texts, folder, plan)
        seen.lines.append(result_line(result, subject.name))
    else:
        subject, other = artifact_pair(open_artifact(artifact), open_artifact(baseline), COMPARE_PLAN.threads)
        comparison = compare_subjects(subject, other, texts, folder)
        result = comparison.result
        seen.lines.append(comparison_line(comparison))
        seen.comparisons.append(comparison)
    feed_benchmark(benchmark, subject.name, result, comparison)
    return result, comparison


def _fail_unless_passed(comparison: Comparison) -> None:
    from edgekd.ci.line import comparison_line, judge, what_to_do

    outcome = judge(comparison)
    if outcome == "slower":
        pytest.fail(comparison_line(comparison), pytrace=False)
    if outcome == "too noisy":
        pytest.fail(f"{comparison_line(comparison)}; to decide, {what_to_do(comparison)}", pytrace=False)
