import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent.parent / name) for name in ("serving", "export", "compile")]


@pytest.fixture(scope="session")
def artifact(tmp_path_factory, graphs):
    """Build a small static artifact; tests that damage it work on a copy."""
    import sample_students as samples

    from edgekd.compile import Examples, compile_graph
    from edgekd.config import Build, Hardware

    return compile_graph(
        graphs["small"],
        Build(runtime="onnxruntime", recipe="int8-dynamic"),
        Hardware(arch="x86_64", isa=("avx2",), memory_mib=1024),
        Examples(samples.make_texts(40), lambda logits: 1.5),
        task="intent",
        provenance={"data": "made up"},
        folder=tmp_path_factory.mktemp("serving") / "artifact",
    ).path
