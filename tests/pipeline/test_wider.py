"""A measurement of more artifacts stands for one of some of them, where all else is the same."""

import pytest

from edgekd.engines.step import Folder, Step
from edgekd.pipeline.bench import find_wider
from edgekd.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


@pytest.fixture
def step(tmp_path):
    def make(*artifacts, plan=6, environment="here", rows="rows") -> Step:
        inputs = {"rows": Folder(tmp_path, rows), "teacher in ONNX": Folder(tmp_path, "teacher")}
        inputs |= {f"artifact {place}": Folder(tmp_path, digest) for place, digest in enumerate(artifacts)}
        return Step(
            "bench/1-threads",
            4,
            "pathlib:Path",
            settings={"plan": {"rounds": plan}},
            inputs=inputs,
            reads={"environment": environment},
            alone=True,
        )

    return make


def measure(store, step):
    reads = step.key_reads(step.folders({}))
    return store.run(step.name, step.version, reads, lambda folder: (folder / "bench.json").write_text("{}"))


def test_more_artifacts_stand_for_some_of_them(store, step):
    wide = measure(store, step("a", "b", "c"))
    assert find_wider(store, step("b", "a"), {}).path == wide.path
    assert find_wider(store, step("a", "b", "c"), {}) is None  # that is the result itself
    assert find_wider(store, step("a", "d"), {}) is None
    measure(store, step("a"))
    assert find_wider(store, step("a"), {}) is None


@pytest.mark.parametrize("change", [{"plan": 9}, {"environment": "elsewhere"}, {"rows": "others"}])
def test_nothing_else_may_differ(store, step, change):
    measure(store, step("a", "b", "c"))
    assert find_wider(store, step("a", **change), {}) is None


def test_a_damaged_measurement_stands_for_nothing(store, step):
    wide = measure(store, step("a", "b", "c"))
    (wide.path / "bench.json").write_text("{ }")
    assert find_wider(store, step("a"), {}) is None
