"""Saturation: what activations would do to VPMADDUBSW is counted as an instruction would cut it."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnxruntime.quantization import QuantType, quantize_dynamic

from edgekd.compile.int8_products import quantize_products
from edgekd.compile.saturation import (
    LIMIT,
    _find_products,
    _largest,
    _look,
    bound_sums,
    find_saturation,
    keep_from_saturating,
    repair_saturation,
)

ROWS = [[101, 2073, 2003, 2026, 2344, 102], [101, 2592, 102], list(range(200, 224))]


def multiply_as_avx2(values, weights):
    """Sum pairs of products in 16 bits with saturation, then in 32 bits."""
    pairs = values.astype(np.int64)[:, :, None] * weights.astype(np.int64)[None]
    sums = pairs[:, ::2] + pairs[:, 1::2]
    return np.clip(sums, -32768, 32767).sum(1), ((sums > 32767) | (sums < -32768)).sum()


def test_sums_are_counted_as_the_instruction_cuts_them():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 256, (50, 16)).astype(np.uint8)
    weights = rng.integers(-127, 128, (16, 8)).astype(np.int8)
    _, cut = multiply_as_avx2(values, weights)
    found = _look("a", values, weights)
    assert found.cut == cut > 0
    assert found.sums == 50 * 8 * 8
    assert found.worst > 32767 and 0 < found.columns <= 8


def quantize_plainly(graph, folder):
    """The usual path: one weight range a column, all of it used."""
    path = folder / "plain.onnx"
    quantize_dynamic(graph.path, path, per_channel=True, weight_type=QuantType.QInt8)
    return onnx.load(path)


@pytest.mark.parametrize("name", ["cut", "tiny"])
def test_the_usual_path_can_saturate_and_ours_cannot(graphs, tmp_path, name):
    usual = find_saturation(quantize_plainly(graphs[name], tmp_path), ROWS)
    ours = find_saturation(quantize_products(onnx.load(graphs[name].path)), ROWS)
    assert len(usual) == len(ours) == 14
    assert sum(one.columns for one in usual) > 0
    assert sum(one.columns + one.cut for one in ours) == 0


def test_repair_takes_the_saturation_away_and_hardly_moves_an_answer(graphs, tmp_path):
    model = quantize_plainly(graphs["cut"], tmp_path)
    before = find_saturation(model, ROWS)
    cut = [one.name for one in before if one.cut]
    assert cut, "a plainly quantized MiniLM cuts sums on these texts"
    answers = answer(model)
    operators = [node.op_type for node in model.graph.node]
    others = {node.name: weights for node, weights in _find_products(model)}
    repaired = repair_saturation(model, cut)
    after = find_saturation(repaired, ROWS)
    assert all(one.columns == one.cut == 0 for one in after if one.name in cut)
    kept = {node.name: weights for node, weights in _find_products(model) if node.name not in cut}
    assert all((weights == others[name]).all() for name, weights in kept.items())
    assert [node.op_type for node in repaired.graph.node] == operators
    exact = answer(onnx.load(graphs["cut"].path))
    assert np.abs(answer(repaired) - exact).mean() < 2 * np.abs(answers - exact).mean() + 0.05


def answer(model):
    session = ort.InferenceSession(model.SerializeToString())
    return np.concatenate([session.run(None, {"input_ids": np.array([row])})[0] for row in ROWS])


def test_a_model_without_int8_products_has_nothing_to_say(graphs):
    assert find_saturation(onnx.load(graphs["tiny"].path), ROWS) == []


def test_the_bound_is_reached_by_some_input_and_passed_by_none():
    rng = np.random.default_rng(1)
    for rows in (1, 6, 7):
        weights = rng.integers(-128, 128, (rows, 5)).astype(np.int8)
        even = np.vstack([weights, np.zeros((rows % 2, 5), np.int8)]).astype(np.int64)
        pairs = even.reshape(-1, 2, 5)
        worst = max(
            abs(first * a + second * b)
            for a in (0, 255)
            for b in (0, 255)
            for first, second in pairs.transpose(0, 2, 1).reshape(-1, 2)
        )
        assert _largest(weights) == worst


def test_our_products_are_proven_and_the_usual_path_is_not(graphs, tmp_path):
    ours = bound_sums(quantize_products(onnx.load(graphs["cut"].path)))
    assert ours.is_proof and ours.products == 14 and ours.largest <= LIMIT
    usual = bound_sums(quantize_plainly(graphs["cut"], tmp_path))
    assert usual.products == 14 and usual.largest > LIMIT and not usual.is_proof
    exact = bound_sums(onnx.load(graphs["tiny"].path))
    assert exact.is_proof and exact.products == 0  # sums of floats


def test_what_is_not_followed_is_no_proof(graphs, tmp_path):
    model = quantize_plainly(graphs["tiny"], tmp_path)
    keep_from_saturating(model)
    assert bound_sums(model).is_proof
    node = next(one for one in model.graph.node if one.op_type == "MatMulInteger")
    node.op_type = "DynamicQuantizeMatMul"
    assert bound_sums(model).unread == (node.name,) and not bound_sums(model).is_proof


def test_nodes_without_names_are_repaired_each(graphs, tmp_path):
    model = quantize_plainly(graphs["tiny"], tmp_path)
    for node in model.graph.node:
        node.name = ""
    repaired = keep_from_saturating(model)
    assert len(set(repaired)) == len(repaired) > 1 and bound_sums(model).is_proof


def test_a_recipe_that_saturates_is_repaired_when_it_is_compiled(graphs, tmp_path, monkeypatch):
    """As a recipe from elsewhere would be: the usual path of ONNX Runtime."""
    from edgekd.compile import Examples, compile_graph
    from edgekd.compile.recipes import int8_dynamic
    from edgekd.config import Build, Hardware

    def build(graph, folder, calibration_ids, runtime, **kept):
        (folder / "model.onnx").write_bytes(quantize_plainly(graph, tmp_path).SerializeToString())

    monkeypatch.setattr(int8_dynamic, "build", build)
    built = compile_graph(
        graphs["cut"],
        Build(runtime="onnxruntime", recipe="int8-dynamic"),
        Hardware(arch="x86_64", memory_mib=1024),
        Examples(["where is my order", "a refund please"]),
        task="intent",
        provenance={},
        folder=tmp_path / "artifact",
    )
    assert built.manifest["provenance"]["kept_from_saturating"]
    assert bound_sums(onnx.load(built.path / "model.onnx")).is_proof
