import pytest


@pytest.fixture
def project(finished_run, tmp_path):
    """A copy of the finished project with its cache, to be gone on with."""
    return finished_run.copy(tmp_path / "project")
