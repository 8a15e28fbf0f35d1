"""What the suite measures unless told: the artifacts of the newest run of a study."""

from __future__ import annotations

from pathlib import Path

import pytest

_RUNS = Path(__file__).parent.parent / "studies" / ".edgekd" / "runs"


def pytest_configure(config: pytest.Config) -> None:
    """Take the newest run's artifacts where `--edgekd-artifacts` is not given."""
    runs = sorted(_RUNS.glob("*/artifacts"), key=lambda path: path.stat().st_mtime)
    if config.getoption("edgekd_artifacts") is None and runs:
        config.option.edgekd_artifacts = runs[-1]


@pytest.fixture(scope="session")
def texts() -> list[str]:
    """Messages that vary in length, the same ones always: the built-in validation split."""
    from edgekd.data.mangaassist import generate

    sizes = {"train": 0, "unlabelled": 0, "calibration": 0, "validation": 300, "test": 0, "critical": 0}
    rows = generate(**sizes).to_pylist()
    return [row["text"] for row in rows]
