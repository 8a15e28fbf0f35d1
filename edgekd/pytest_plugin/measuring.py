"""Measure an artifact for a test, and hold it against its baseline and the session's limits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from edgekd.ci.artifacts import artifact_pair, artifact_subject, find_baseline
from edgekd.ci.cases import Alone, limit_cases
from edgekd.ci.feed import Benchmark, claim_benchmark, feed_benchmark
from edgekd.ci.limits import check_limits, limit_line, plan_longer
from edgekd.ci.line import comparison_line, judge, result_line, what_to_do
from edgekd.compile import Artifact, open_artifact
from edgekd.gate.check import Check
from edgekd.measure.compare import COMPARE_PLAN, Comparison, compare_subjects
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.result import BenchResult
from edgekd.measure.session import measure_subjects
from edgekd.pytest_plugin.session import SEEN, read_limits


def baseline_of(artifact: Path, config: pytest.Config) -> Path | None:
    """Return the artifact of the same name in `--edgekd-baseline`; None where no such folder is named."""
    baselines = config.getoption("edgekd_baseline")
    if baselines is None:
        return None
    return find_baseline(artifact, config.getoption("edgekd_artifacts"), baselines)


def measure_artifact(
    benchmark: Benchmark,
    artifact_folder: Path,
    texts: Sequence[str],
    baseline: Path | None,
    folder: Path,
    config: pytest.Config,
) -> tuple[BenchResult, Comparison | None, tuple[Check, ...]]:
    """Measure, show and keep; the samples stay in `folder` as long as pytest keeps it."""
    seen = config.stash[SEEN]
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
    limits, subject = read_limits(config), artifact_subject(artifact, result.plan.threads)
    if plan := plan_longer(limits, result, subject.name):
        result = measure_subjects([subject], texts, folder / "limits", plan)
    return check_limits(limits, result, subject.name, artifact.size_bytes, artifact.recipe)


def fail_unless_passed(comparison: Comparison | None, checks: tuple[Check, ...]) -> None:
    """Fail the test where the artifact is slower, too noisy to say, or not shown to be within a limit."""
    outcome = "passed" if comparison is None else judge(comparison)
    failed = []
    if comparison is not None and outcome != "passed":
        todo = f"; to decide, {what_to_do(comparison)}" if outcome == "too noisy" else ""
        failed.append(f"{comparison_line(comparison)}{todo}")
    failed += [limit_line(check) for check in checks if not check.passes]
    if failed:
        pytest.fail("; ".join(failed), pytrace=False)
