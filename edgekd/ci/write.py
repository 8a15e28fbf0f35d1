"""Write what a CI job shows and keeps of what it measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekd.ci.benchmark_json import render_benchmark_json
from edgekd.ci.cases import Alone, JobCase
from edgekd.ci.junit import render_junit
from edgekd.ci.summary import render_summary
from edgekd.errors import BadInputError
from edgekd.measure.compare import Comparison

SUMMARY, JUNIT, BENCHMARK = "summary.md", "junit.xml", "benchmark.json"


def write_ci_files(
    comparisons: Sequence[Comparison],
    folder: Path,
    *,
    cases: Sequence[JobCase] = (),
    alone: Sequence[Alone] = (),
    allow_noisy: bool = False,
) -> None:
    """Write `summary.md`, `junit.xml` and `benchmark.json`; older ones are replaced.

    Args:
        comparisons: their samples must still be there.
        folder: is made where it is not.
        cases: what else the job shows; it has to show something.
        alone: what was measured without a baseline.
        allow_noisy: too noisy to say is skipped in `junit.xml`, and not a failure.

    Raises:
        BadInputError: without a comparison or a case, or if the folder cannot hold the files.
    """
    if not comparisons and not cases:
        raise BadInputError(f"{folder}: no comparison to write about; compare with a baseline first")
    contents = {
        SUMMARY: render_summary(comparisons, cases).encode(),
        JUNIT: render_junit(comparisons, cases, allow_noisy=allow_noisy),
        BENCHMARK: render_benchmark_json(comparisons, alone).encode(),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise BadInputError(f"{folder}: cannot be written ({error}); name another folder") from error
