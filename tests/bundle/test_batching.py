"""What sharing a batch does, on real students."""

import pytest

from edgekd.bundle.servers.batching import measure_batching
from edgekd.serving import load


def measure(artifact, texts):
    tokenize = load(artifact.path).tokenize
    return measure_batching(artifact, [[tokenize(text)] for text in texts], 1)


@pytest.mark.parametrize(
    "key", [("tiny", "onnxruntime", "fp32"), ("static", "onnxruntime", "fp32"), ("tiny", "openvino", "fp32")]
)
def test_exact_students_answer_alike_alone_and_together(compiled, texts, key):
    found = measure(compiled(*key), texts)
    assert found.compared > 50
    assert found.worst <= 1e-4 * found.spread and found.is_harmless


@pytest.mark.parametrize("name", ["tiny", "static"])
def test_scales_chosen_over_the_batch_are_seen(compiled, texts, name):
    found = measure(compiled(name, "onnxruntime", "int8-dynamic"), texts)
    assert found.worst > 0.01 * found.spread and not found.is_harmless


def test_nothing_compared_is_no_proof(compiled):
    artifact = compiled("tiny", "onnxruntime", "fp32")
    assert not measure(artifact, []).is_harmless
    assert measure(artifact, ["one", "two of another length", ""]).compared == 0
