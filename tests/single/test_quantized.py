"""Files that others quantized: compiled as they are, or said build by build."""

import numpy as np
import onnxruntime as ort
import pytest
import tiny_models as tiny
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_dynamic, quantize_static

from edgekd.config import Build, Hardware, Target
from edgekd.errors import EdgekdError
from edgekd.serving import load
from edgekd.single.foreign import compile_foreign

IDS = ([2, 40, 41, 42, 3], [2, 50, 3], [2, 60, 61, 3])
WORK = Hardware(arch="x86_64", memory_mib=512, isa=("avx2", "avx512f", "avx512_vnni"))
BUILDS = tuple(Build(runtime="onnxruntime", recipe=recipe) for recipe in ("fp32", "int8-dynamic"))


class Rows(CalibrationDataReader):
    def __init__(self):
        self.rows = iter([feed(ids) for ids in IDS])

    def get_next(self):
        return next(self.rows, None)


def feed(ids):
    return {"input_ids": np.array([ids]), "attention_mask": np.ones((1, len(ids)), np.int64)}


def quantize(folder, how):
    """Quantize a file as Optimum and Olive do: with scales found as it runs, or with pairs of Q and DQ."""
    folder.mkdir()
    plain, path = folder / "model.onnx", folder / "model_quantized.onnx"
    tiny.write_onnx(folder)
    tiny.write_tokenizer(folder, alone=True)
    if how == "dynamic":
        quantize_dynamic(plain, path)
    else:
        quantize_static(plain, path, Rows(), quant_format=QuantFormat.QDQ)
    plain.unlink()
    return path


@pytest.mark.parametrize(("how", "operator"), [("dynamic", "MatMulInteger"), ("static", "QuantizeLinear")])
def test_a_quantized_file_keeps_its_answers_and_is_quantized_no_further(tmp_path, monkeypatch, how, operator):
    monkeypatch.chdir(tmp_path)  # the library leaves files behind
    path = quantize(tmp_path / "there", how)
    target = Target(name="here", hardware=WORK, builds=BUILDS)
    built = {
        name: found
        for _, name, found in compile_foreign(path, [target], tiny.TEXTS, tmp_path / "out", lambda *_: None)
    }
    whole, small = (built[f"model_quantized.onnxruntime.{build.recipe}"] for build in BUILDS)
    assert isinstance(small, EdgekdError) and "is quantized already" in str(small) and operator in str(small)
    model, source = load(whole.path), ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    for text in tiny.TEXTS:
        expected = source.run(None, feed(model.tokenize(text)))[0][0]
        assert np.abs(model.outputs([text])[0] - expected).max() < 1e-5
