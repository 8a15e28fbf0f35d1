import build_sample
import pytest

from edgekd.compile import open_artifact
from edgekd.errors import ArtifactError


@pytest.fixture
def made(graphs, tmp_path):
    return build_sample.compile_sample(graphs["tiny"], "onnxruntime", "fp32", tmp_path / "artifact")


def test_opening_gives_what_was_built(made):
    opened = open_artifact(made.path)
    assert (opened.digest, opened.student, opened.runtime, opened.recipe) == (
        made.digest, "tiny", "onnxruntime", "fp32",
    )  # fmt: skip
    assert opened.manifest == made.manifest
    assert opened.parity is None


def test_one_flipped_byte_is_one_line_that_names_the_file(made):
    path = made.path / "model.onnx"
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 4
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match=r"artifact/model\.onnx: sha256 is") as caught:
        open_artifact(made.path)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_digest_tells_artifacts_apart(made, graphs, tmp_path):
    other = build_sample.compile_sample(
        graphs["tiny"], "onnxruntime", "fp32", tmp_path / "other", fit_temperature=lambda logits: 7.0
    )
    assert other.digest != made.digest


def test_no_artifact(tmp_path):
    with pytest.raises(ArtifactError, match=r"manifest\.json: not found"):
        open_artifact(tmp_path)
