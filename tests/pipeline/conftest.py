import shutil

import pytest


@pytest.fixture
def project(finished_run, tmp_path):
    """A copy of the finished project with its cache, to be gone on with."""
    folder = tmp_path / "project"
    shutil.copytree(finished_run.folder, folder, symlinks=True)
    return folder
