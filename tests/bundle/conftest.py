import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent.parent / name) for name in ("export", "compile")]


@pytest.fixture(scope="session")
def static_artifact(tmp_path_factory):
    """A small static student on numpy."""
    import build_sample
    import sample_students as samples

    folder = tmp_path_factory.mktemp("bundle")
    graph = samples.export_sample(samples.STATIC, folder)
    return build_sample.compile_sample(graph, "numpy", "int8-tables", folder / "artifact")
