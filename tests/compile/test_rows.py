"""Shared rows: what texts use is answered as before, the rest by its nearest neighbour."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import sample_students as samples

from edgekd.compile.rows import choose_rows, count_rows, find_lookups, share_rows
from edgekd.serving.tokenize import open_tokenizer


def test_the_nearest_row_stands_for_one_that_is_not_kept():
    table = np.array([[1, 0], [9, 9], [0, 1], [0, 0.9], [5, 5]], np.float32)
    chosen, places = choose_rows(table, np.array([3, 0, 3, 1, 0]), 2)
    assert chosen.tolist() == [0, 2]
    assert places.tolist()[0] == 0 and places.tolist()[2:4] == [1, 1]


def test_equal_rows_each_keep_their_own():
    _, places = choose_rows(np.ones((4, 2), np.float32), np.array([1, 1, 1, 1]), 4)
    assert places.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("name", ["cut", "static"])
def test_texts_that_were_counted_are_answered_as_before(graphs, capfd, name):
    graph = graphs[name]
    model = onnx.load(graph.path)
    tokenize = open_tokenizer(graph.tokenizer, graph.max_tokens)
    rows = [ids for text in samples.make_texts(40) if (ids := tokenize(text))]
    counts = count_rows(model, rows)
    assert capfd.readouterr() == ("", "")  # what the indices do not need is not in the graph that counts
    (lookup,) = find_lookups(model)
    used = counts[lookup.input[0]]
    tokens = sum(map(len, rows))
    assert used.sum() == (2 * tokens if name == "static" else tokens)
    before = ort.InferenceSession(str(graph.path))
    small = share_rows(model, counts, int((used > 0).sum()))
    after = ort.InferenceSession(small.SerializeToString())
    for ids in rows:
        given = {"input_ids": np.array([ids])}
        assert np.array_equal(before.run(None, given)[0], after.run(None, given)[0])
    assert len(small.SerializeToString()) < 0.6 * graph.path.stat().st_size
    strange = {"input_ids": np.array([[7, 500, 2999, 1234]])}
    assert np.isfinite(after.run(None, strange)[0]).all()


def test_a_table_that_is_small_enough_stays(graphs):
    model = onnx.load(graphs["static"].path)
    counts = count_rows(model, [[1, 2, 3]])
    assert share_rows(model, counts, 10**6).SerializeToString() == graphs["static"].path.read_bytes()
