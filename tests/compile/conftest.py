import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "export")]


@pytest.fixture(scope="session")
def graphs(tmp_path_factory):
    """Export the sample students once."""
    import sample_students as samples

    folder = tmp_path_factory.mktemp("graphs")
    return {s.name: samples.export_sample(s, folder) for s in (samples.TINY, samples.CUT, samples.STATIC)}
