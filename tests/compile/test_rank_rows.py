"""Pairs of one request that OpenVINO runs together: each gets the score that it gets alone."""

import build_sample
import numpy as np
import pytest

from edgekd.plugins import load_plugin
from edgekd.serving import ServingError, load

pytestmark = pytest.mark.openvino
QUERY = "where is my order?"
# Two widths with their leftovers; equal candidates; the empty one; some that are cut.
CANDIDATES = ["order " * count for count in (*range(0, 28, 2), 3, 3, 5, 200)]


@pytest.fixture(scope="module")
def made(graphs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows") / "artifact"
    return build_sample.compile_sample(graphs["ranking"], "openvino", "fp32", folder)


@pytest.fixture
def session(made):
    return load_plugin("runtimes", "openvino").open_session(made.path, made.manifest, 1)


def make_rows(lengths):
    rng = np.random.default_rng(0)
    return [[101, *rng.integers(1000, 2000, length - 1).tolist()] for length in lengths]


def test_a_score_depends_on_no_other_candidate(made):
    model = load(made.path)
    alone = [model.rank(QUERY, [one]).scores[0] for one in CANDIDATES]
    for _ in range(2):  # before and after blocks are proven
        whole = model.rank(QUERY, CANDIDATES).scores
        assert whole == tuple(alone) == model.rank(QUERY, CANDIDATES[::-1]).scores[::-1]
    assert len(set(whole)) > 10 and model._run_rows is not None
    assert load(made.path).rank(QUERY, CANDIDATES).scores == whole


def test_rows_take_two_shapes_a_width(session):
    most = session._max_tokens
    rows = make_rows([3, most, 9, 16, 17, 12, 14, 15, most, most - 1, most, 18])
    outputs = session.run_rows(rows)
    assert not session._bound and sorted(session._blocks) == [(1, 16), (1, most), (4, 16), (4, most)]
    assert sorted(session._proven) == [16, most]
    np.testing.assert_allclose(outputs, np.stack([session.run(row) for row in rows]), atol=1e-5)
    np.testing.assert_array_equal(session.run_rows(rows[::-1]), outputs[::-1])
    assert session.run_rows(rows[:1]).shape == (1, 1) and len(session._blocks) == 4


def test_where_a_block_answers_otherwise_rows_are_run_alone(session, monkeypatch):
    """As with an engine that sums in another order where there are more rows."""
    rows, padded, counts = make_rows([12] * 8), session._run_padded, []

    def answer(rows, width, count):
        counts.append(count)
        return padded(rows, width, count) + (count > 1) * np.float32(1e-7)

    monkeypatch.setattr(session, "_run_padded", answer)
    first = session.run_rows(rows)
    assert session._proven == {16: False} and counts.count(4) == 1
    alone = np.concatenate([padded([row], 16, 1) for row in rows])
    np.testing.assert_array_equal(first, alone)
    np.testing.assert_array_equal(session.run_rows(rows), alone)
    assert counts.count(4) == 1


def test_ids_that_a_model_cannot_read_are_an_error(made):
    model = load(made.path)
    with pytest.raises(ServingError, match="cannot read ids of this tokenizer"):
        model._encode([[1 << 70]] * 4)
