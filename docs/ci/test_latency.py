"""The latency and memory of every artifact of the job; copy to latency/, with some hundred texts beside."""

from pathlib import Path

from edgekd.pytest_plugin import Measure

TEXTS = Path(__file__).with_name("texts.txt").read_text(encoding="utf-8").splitlines()


def test_latency(edgekd_benchmark: Measure, edgekd_artifact: Path) -> None:
    """Fail where it is slower than the baseline, over a limit, or where that cannot be said."""
    edgekd_benchmark(edgekd_artifact, TEXTS)
