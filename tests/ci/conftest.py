import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"
sys.path.insert(0, str(BENCH))


@pytest.fixture(scope="session")
def texts() -> list[str]:
    import sample_students as samples

    return samples.make_texts(60)


def run_in(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run pytest in a process of its own; warnings are errors there, too."""
    command = [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", "-p", "no:anyio"]
    command += [*map(str, arguments)]
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "COV"))}
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
        timeout=300,
        env={**env, "COLUMNS": "300", "CI": "true"},
    )


@pytest.fixture(scope="session")
def run_pytest():
    return run_in
