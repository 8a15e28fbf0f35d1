import dataclasses
import sys

import build_sample
import numpy as np
import pytest
import sample_students as samples

from edgekd.compile.recipes import fp32
from edgekd.config import Hardware
from edgekd.errors import ConfigError, MissingExtraError, ParityError
from edgekd.export import Parity
from edgekd.serving import load
from edgekd.serving.heads import Head
from edgekd.serving.runtimes import onnxruntime as runtime_module


def test_temperature_is_fitted_on_the_compiled_models_own_logits(graphs, tmp_path):
    seen = []

    def fit(logits):
        seen.append(logits.copy())
        return 2.5

    texts = samples.make_texts(12)
    made = build_sample.compile_sample(
        graphs["tiny"], "onnxruntime", "int8-dynamic", tmp_path, fit_temperature=fit, texts=texts
    )
    model = load(made.path)
    assert model.calibration.temperature == 2.5
    np.testing.assert_array_equal(seen[0], model.outputs(texts))
    assert isinstance(made.parity, Parity)


def test_rows_that_texts_do_not_use_are_shared(graphs, tmp_path):
    texts = samples.make_texts(40)
    whole, small = (
        build_sample.compile_sample(
            graphs["static"],
            "onnxruntime",
            "int8-dynamic",
            tmp_path / str(rows),
            rows=rows,
            used=texts,
        )
        for rows in (None, 2048)
    )
    assert small.size_bytes < 0.5 * whole.size_bytes
    assert small.recipe == "int8-dynamic-2048"
    models = [load(made.path) for made in (whole, small)]
    np.testing.assert_allclose(*(model.outputs(texts) for model in models), atol=1e-5)
    assert models[1]("zebra quixotic").label in samples.LABELS


def test_shared_rows_are_not_exact(graphs, tmp_path):
    with pytest.raises(ConfigError, match="recipe fp32 is exact, and shared rows are not"):
        build_sample.compile_sample(graphs["tiny"], "onnxruntime", "fp32", tmp_path, rows=512)


def test_recipe_for_another_runtime(graphs, tmp_path):
    with pytest.raises(ConfigError, match="int8-nncf is not for onnxruntime; it is for openvino"):
        build_sample.compile_sample(graphs["tiny"], "onnxruntime", "int8-nncf", tmp_path)


def test_recipe_that_is_not_safe_on_the_target(graphs, tmp_path):
    hardware = Hardware(arch="x86_64", isa=("avx2",), memory_mib=1024)
    with pytest.raises(ConfigError, match=r"int8-nncf is safe only with one of avx512_vnni.*counts on avx2"):
        build_sample.compile_sample(graphs["tiny"], "openvino", "int8-nncf", tmp_path, hardware=hardware)


def test_unknown_names(graphs, tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'int8-nncf'"):
        build_sample.compile_sample(graphs["tiny"], "openvino", "int8-ncf", tmp_path)
    with pytest.raises(ConfigError, match="needs calibration texts"):
        build_sample.compile_sample(graphs["tiny"], "onnxruntime", "fp32", tmp_path, texts=[])


@pytest.mark.parametrize(
    ("module", "library", "runtime", "recipe", "extra"),
    [
        ("edgekd.serving.runtimes.onnxruntime", "onnxruntime", "onnxruntime", "fp32", "onnx"),
        ("edgekd.serving.runtimes.openvino", "openvino", "openvino", "fp32", "intel"),
        (None, "nncf", "openvino", "int8-nncf", "intel"),
    ],
)
def test_missing_library_names_its_extra(
    graphs, tmp_path, monkeypatch, module, library, runtime, recipe, extra
):
    if module:
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=rf"{library} is not installed; run: pip .*edgekd\[{extra}\]"):
        build_sample.compile_sample(graphs["tiny"], runtime, recipe, tmp_path)


def test_exact_recipe_that_answers_differently(graphs, tmp_path, monkeypatch):
    def build(graph, folder, calibration_ids, runtime):
        other = dataclasses.replace(graph, path=graphs["static"].path)
        fp32_build(other, folder, calibration_ids, runtime)

    fp32_build = fp32.build
    monkeypatch.setattr(fp32, "build", build)
    with pytest.raises(ParityError, match=r"onnxruntime/fp32: outputs differ by .* allowed 0\.0001; worst"):
        build_sample.compile_sample(graphs["cut"], "onnxruntime", "fp32", tmp_path)


def test_model_of_another_shape(graphs, tmp_path):
    graph = dataclasses.replace(graphs["tiny"], head=Head("classify", samples.LABELS[:-1]))
    with pytest.raises(ParityError, match=r"outputs of shape \(20,\), expected \(19,\)"):
        build_sample.compile_sample(graph, "onnxruntime", "fp32", tmp_path)


def test_runtime_says_what_it_writes():
    assert runtime_module.MODEL == "model.onnx"
