"""Students with one output: compiled for each runtime, compared by their scores."""

import build_sample
import numpy as np
import onnx
import pytest
import sample_students as samples

from edgekd.compile.recipes import fp32
from edgekd.errors import ConfigError, ParityError
from edgekd.export.parity import compare_outputs
from edgekd.export.surgery import find_makers
from edgekd.plugins import load_plugin
from edgekd.serving import load
from edgekd.serving.heads.score import Scorer, score_gaps

TEXTS = samples.make_texts(40)
BUILDS = [
    ("scoring", "onnxruntime", "fp32"),
    ("scoring", "onnxruntime", "int8-dynamic"),
    ("scoring-static", "onnxruntime", "int4-tables"),
    ("scoring-static", "numpy", "int8-tables"),
    ("scoring", "openvino", "fp32"),
    pytest.param("scoring", "openvino", "int8-nncf", marks=pytest.mark.long),
]


@pytest.fixture(scope="module")
def reference(graphs):
    """What the exported graphs say of the texts, in ONNX Runtime: outputs [text, 1]."""
    import onnxruntime as ort

    from edgekd.serving.tokenize import open_tokenizer

    def answer(name):
        graph = graphs[name]
        session = ort.InferenceSession(str(graph.path))
        tokenize = open_tokenizer(graph.tokenizer, graph.max_tokens)
        rows = [np.array([tokenize(text) or [0]], np.int64) for text in TEXTS]
        return np.concatenate([session.run(None, {"input_ids": row})[0] for row in rows])

    return {name: answer(name) for name in ("scoring", "scoring-static")}


@pytest.mark.parametrize(("student", "runtime", "recipe"), BUILDS)
def test_builds(graphs, reference, tmp_path, student, runtime, recipe):
    made = build_sample.compile_sample(graphs[student], runtime, recipe, tmp_path / "artifact")
    model = load(made.path)
    outputs = model.outputs(TEXTS)
    assert score_gaps(outputs, -outputs).std() > 0.05  # they tell texts apart
    gaps = score_gaps(reference[student], outputs)
    if load_plugin("recipes", recipe).IS_EXACT:
        assert made.parity.agreeing == 1 and gaps.max() < 1e-4
    else:
        assert made.parity.agreeing < 1 or gaps.max() <= 0.01
        assert gaps.mean() < 0.1
    assert all(0 <= model(text).score <= 1 for text in TEXTS)


def test_a_wrong_model_with_one_output_is_refused(graphs, tmp_path, monkeypatch):
    """Of one column the likeliest is always the first: labels would have agreed on every text."""

    def build(graph, folder, calibration_ids, runtime):
        model = onnx.load(graph.path)
        find_makers(model.graph)["logits"].output[0] = "negative"
        model.graph.node.append(onnx.helper.make_node("Neg", ["negative"], ["logits"]))
        onnx.save(model, folder / "model.onnx")

    monkeypatch.setattr(fp32, "build", build)
    with pytest.raises(ParityError, match=r"onnxruntime/fp32: outputs differ by .* allowed 0\.0001; worst"):
        build_sample.compile_sample(graphs["scoring-static"], "onnxruntime", "fp32", tmp_path)


def test_agreeing_is_the_share_of_scores_within_the_tolerance(reference):
    one, names = reference["scoring"], TEXTS
    assert compare_outputs(one, one + np.float32(1e-3), names, Scorer().agree).agreeing == 1
    assert compare_outputs(one, -one, names, Scorer().agree).agreeing < 0.5


def test_no_temperature_is_fitted_for_a_score(graphs, tmp_path):
    with pytest.raises(ConfigError, match="the head score has no temperature to fit"):
        build_sample.compile_sample(
            graphs["scoring"], "onnxruntime", "fp32", tmp_path / "a", fit_temperature=lambda logits: 1.5
        )
    assert not (tmp_path / "a").exists()
