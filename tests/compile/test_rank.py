"""Models that order candidates: of pairs and of two towers, compiled for each runtime that takes them."""

import build_sample
import numpy as np
import pytest
import sample_students as samples

from edgekd.compile.compile import list_runs
from edgekd.compile.prove import choose_compared
from edgekd.errors import ConfigError
from edgekd.plugins import load_plugin
from edgekd.serving import load
from edgekd.serving.heads import fold, open_reader, rank
from edgekd.serving.request import join_outputs

REQUESTS = samples.make_requests(12)
BUILDS = [
    ("ranking", "onnxruntime", "fp32"),
    ("ranking", "onnxruntime", "int8-dynamic"),
    ("ranking", "openvino", "fp32"),
    pytest.param("ranking", "openvino", "int8-nncf", marks=pytest.mark.long),
    pytest.param("ranking", "litert", "fp32", marks=pytest.mark.long),
    ("ranking-static", "onnxruntime", "fp32"),
    ("ranking-static", "onnxruntime", "int4-tables"),
    ("ranking-static", "openvino", "fp32"),
    pytest.param("ranking-static", "litert", "int8-dynamic", marks=pytest.mark.long),
    ("ranking-static", "numpy", "int8-tables"),
]


@pytest.fixture(scope="module")
def reference(graphs):
    """What the exported graphs say of the requests, in ONNX Runtime: scores [request, place]."""
    import onnxruntime as ort

    def answer(name):
        graph = graphs[name]
        session = ort.InferenceSession(str(graph.path))
        read = open_reader(graph.tokenizer, graph.max_tokens, graph.head)
        nothing = np.empty(0, np.float32)
        rows = []
        for runs in map(read, REQUESTS):
            outputs = [session.run(None, {"input_ids": np.array([ids])})[0] for ids in runs]
            rows.append(fold(np.concatenate(outputs), graph.head) if outputs else nothing)
        return join_outputs([row[None] for row in rows])

    return {name: answer(name) for name in ("ranking", "ranking-static")}


@pytest.mark.parametrize(("student", "runtime", "recipe"), BUILDS)
def test_builds(graphs, reference, tmp_path, student, runtime, recipe):
    made = build_sample.compile_sample(graphs[student], runtime, recipe, tmp_path / "artifact")
    model, wanted = load(made.path), reference[student]
    scores = model.outputs(REQUESTS)
    assert (np.isnan(scores) == np.isnan(wanted)).all()
    spread = float(np.nanstd(wanted))
    error = float(np.nanmax(np.abs(scores - wanted))) / spread
    assert spread > 0.1 and error < (1e-4 if load_plugin("recipes", recipe).IS_EXACT else 1.5)
    # A request without candidates and one of two are there: what has one candidate agrees in any case.
    agreeing = rank.Rank().agree(scores, wanted).mean()
    assert agreeing == 1 if load_plugin("recipes", recipe).IS_EXACT else agreeing > 0.6
    assert made.parity.agreeing >= 0.5 and made.parity.texts == 22


def test_types_of_a_pair_are_in_the_graph(graphs):
    """The same tokens with the separator elsewhere are another pair."""
    import onnxruntime as ort

    session = ort.InferenceSession(str(graphs["ranking"].path))
    assert [one.name for one in session.get_inputs()] == ["input_ids"]

    def run(*ids):
        return float(session.run(None, {"input_ids": np.array([ids])})[0][0, 0])

    module = samples.make_module(samples.RANKING)
    import torch

    for ids in ((101, 2000, 102, 2001, 2002, 102), (101, 102, 102), (101, 2000, 2001), (102, 102, 102, 5)):
        assert run(*ids) == pytest.approx(float(module(torch.tensor([ids])).detach()[0, 0]), abs=1e-4)


def test_runs_are_taken_from_all_requests():
    def read(text):
        return [[ord(text), number] for number in range(ord(text) - ord("a"))]

    assert list_runs(read, "cbad") == [[99, 0], [98, 0], [100, 0], [99, 1], [100, 1], [100, 2]]
    assert len(list_runs(lambda text: [[1], [2]], ["a"] * 1500)) == 2000
    assert len(list_runs(lambda text: [[1]], ["a"] * 2500)) == 2500
    assert len(choose_compared(lambda text: [[1]] * 50, ["a"] * 300)) == 10
    assert len(choose_compared(lambda text: [[1]] * 5000, ["a"] * 300)) == 1
    assert len(choose_compared(lambda text: [[1]], ["a"] * 600)) == 512


def test_no_temperature_is_fitted_for_an_order(graphs, tmp_path):
    with pytest.raises(ConfigError, match="the head rank has no temperature to fit"):
        build_sample.compile_sample(
            graphs["ranking"], "onnxruntime", "fp32", tmp_path / "a", fit_temperature=lambda scores: 1.5
        )


def test_a_build_keeps_rows_of_the_tables(graphs, tmp_path):
    made = build_sample.compile_sample(
        graphs["ranking-static"], "numpy", "int8-tables", tmp_path / "a", rows=512, used=REQUESTS
    )
    whole = build_sample.compile_sample(graphs["ranking-static"], "numpy", "int8-tables", tmp_path / "b")
    assert made.size_bytes < whole.size_bytes / 2
    assert rank.Rank().agree(*(load(one.path).outputs(REQUESTS) for one in (made, whole))).mean() > 0.7


def test_towers_are_part_of_a_graphs_digest(graphs):
    from dataclasses import replace

    from edgekd.export.graph import open_graph

    graph = graphs["ranking-static"]
    other = open_graph(
        graph.path,
        graph.tokenizer,
        student=graph.student,
        kind=graph.kind,
        head=graph.head._replace(separator=3),
        max_tokens=graph.max_tokens,
    )
    assert replace(other, head=graph.head, digest="") == replace(graph, digest="")
    assert other.digest != graph.digest
