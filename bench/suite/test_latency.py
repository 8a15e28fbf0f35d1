"""The latency of every artifact, against its baseline where there is one.

    edgekd gate bench/studies/clinc150.yaml
    pytest bench/suite
    pytest bench/suite --edgekd-artifacts DIR --edgekd-baseline DIR

The second measures the artifacts of the newest run, the third compares folders of artifacts.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekd.pytest_plugin import Measure


def test_latency(edgekd_benchmark: Measure, edgekd_artifact: Path, texts: Sequence[str]) -> None:
    """Fails where the artifact is slower than its baseline, or where that cannot be said."""
    edgekd_benchmark(edgekd_artifact, texts)
