"""Latency tests of artifacts, for pytest: built on pytest-benchmark, measured and judged by edgekd.

    def test_latency(edgekd_benchmark, edgekd_artifact):
        edgekd_benchmark(edgekd_artifact, ["where is my order?", "i want my money back"])

pytest loads this module whenever it starts, so that it imports nothing heavy until a test measures.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from edgekd.pytest_plugin.session import LIMITS, SEEN, Seen, read_limits, write_files

if TYPE_CHECKING:
    from edgekd.ci.feed import Benchmark
    from edgekd.measure.result import BenchResult

_FOLDERS = ("edgekd_artifacts", "edgekd_baseline")


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
    config.stash[SEEN] = Seen([], [], [], [])
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
    if any(config.getoption(f"edgekd_{name}") is not None for name in LIMITS):
        from edgekd.errors import BadInputError

        try:
            read_limits(config)
        except BadInputError as error:
            _refuse(config, f"--edgekd-{str(error).removeprefix('--')}")


_ADVICE = {
    "edgekd_artifacts": "compile or fetch them before the tests, or give another folder",
    "edgekd_baseline": "leave the option out as long as there is no baseline",
}


def _refuse(config: pytest.Config, message: str) -> None:
    config.stash[SEEN].add_case("edgekd", "options", "error", message)
    write_files(config)
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
    seen = config.stash[SEEN]

    def measure(artifact_folder: Path, texts: Sequence[str], baseline: Path | None = None) -> BenchResult:
        place = _place(artifact_folder, config)
        if not benchmark.enabled:
            _skip(config, place)
        from edgekd.errors import EdgekdError
        from edgekd.pytest_plugin.measuring import baseline_of, fail_unless_passed, measure_artifact

        baseline = baseline or baseline_of(artifact_folder, config)
        folder = tmp_path_factory.mktemp("edgekd")
        try:
            result, comparison, checks = measure_artifact(
                benchmark, artifact_folder, texts, baseline, folder, config
            )
        except EdgekdError as error:
            benchmark.has_error = True
            seen.add_case(place, "measured", "error", str(error))
            pytest.fail(str(error), pytrace=False)
        fail_unless_passed(comparison, checks)
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
        config.stash[SEEN].add_case(place, "measured", "error", line)
        pytest.fail(line, pytrace=False)
    line = "benchmarks are disabled, by --benchmark-disable or because tests run in parallel"
    config.stash[SEEN].add_case(place, "measured", "skipped", line)
    pytest.skip(line)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the job's files, whatever happened; a job in which no test measured anything is no pass."""
    config = session.config
    seen = config.stash[SEEN]
    is_worker = hasattr(config, "workerinput")  # of pytest-xdist, whose main process has seen no test
    if config.getoption("edgekd_ci") is None or is_worker or config.getoption("collectonly"):
        return
    if not (seen.comparisons or seen.alone or seen.cases):
        line = "no test measured anything: is edgekd_benchmark called, and the test selected?"
        seen.lines.append(line)
        seen.add_case("edgekd", "session", "error", line)
        if session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
    write_files(config)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show a line for every measurement, those that passed too."""
    lines = config.stash[SEEN].lines
    if lines:
        terminalreporter.section("edgekd")
        for line in lines:
            terminalreporter.line(line)
