import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekd.distill.lists import (
    NO_EXAMPLE,
    Lists,
    draw_places,
    list_requests,
    parts_of,
    queries_of,
    take_places,
    widen_table,
)
from edgekd.serving.request import join_request

grades = st.one_of(st.just(float("nan")), st.sampled_from([0.0, 1.0, 3.0]))
tables = st.lists(st.lists(grades, min_size=1, max_size=7), min_size=1, max_size=6)


def table_of(rows: list[list[float]]) -> np.ndarray:
    table = np.full((len(rows), max(map(len, rows))), -1, np.float32)
    for line, row in zip(table, rows, strict=True):
        line[: len(row)] = row
    return table


@given(counts=st.lists(st.integers(1, 5), min_size=1, max_size=6))
def test_what_is_folded_is_found_again_by_its_numbers(counts):
    lists = Lists(np.cumsum([0, *counts]))
    values = np.arange(sum(counts), dtype=np.float32)
    table = lists.fold(values[:, None])
    assert table.shape == (len(counts), max(counts)) and table.dtype == np.float32
    assert table[~np.isnan(table)].tolist() == values.tolist()
    rows = np.arange(len(counts))[::-1]
    numbers, is_real = lists.examples(rows, lists.places[rows])
    assert values[numbers].tolist() == table[rows][is_real].tolist()
    sums = lists.sums(values.astype(np.int64), lists.places)
    assert sums.tolist() == np.nansum(table, axis=1).tolist()
    assert np.array_equal(take_places(table, lists.places, np.nan), table, equal_nan=True)


@given(rows=tables, size=st.integers(1, 8), is_taught=st.booleans(), seed=st.integers(0, 9))
def test_an_epoch_draws_some_and_always_the_best(rows, size, is_taught, seed):
    targets = table_of(rows)
    places = draw_places(targets, size, is_taught, np.random.default_rng(seed))
    again = draw_places(targets, size, is_taught, np.random.default_rng(seed))
    assert np.array_equal(places, again) and places.shape[1] <= max(size, 1)
    for line, row in zip(places, rows, strict=True):
        drawn = line[line != NO_EXAMPLE].tolist()
        may = [i for i, grade in enumerate(row) if is_taught or grade >= 0]
        assert len(drawn) == min(size, len(may)) and set(drawn) <= set(may)
        assert drawn == sorted(set(drawn)) and line[len(drawn) :].tolist() == [-1] * (len(line) - len(drawn))
        best = max((grade for grade in row if grade > 0), default=None)
        assert best is None or any(row[i] == best for i in drawn)


def test_epochs_draw_others():
    targets = np.zeros((50, 20), np.float32)
    seen = {tuple(draw_places(targets, 5, False, np.random.default_rng((0, e, 2))).ravel()) for e in range(5)}
    assert len(seen) == 5
    drawn = np.concatenate(
        [draw_places(targets, 5, False, np.random.default_rng(seed)).ravel() for seed in range(40)]
    )
    counts = np.bincount(drawn, minlength=20)
    assert counts.min() > 0.8 * counts.mean() and counts.max() < 1.2 * counts.mean()


def test_requests_are_taken_apart():
    requests = [join_request("one", ["a", "b"]), join_request("two", ["c"])]
    examples, lists = list_requests(requests)
    assert examples == ["one\x1fa", "one\x1fb", "two\x1fc"] and lists.counts.tolist() == [2, 1]
    assert parts_of(requests) == ["one", "a", "b", "two", "c"] and queries_of(requests) == ["one", "two"]
    assert widen_table(np.array([[1.0, 2.0]]), 3, -1).tolist() == [[1, 2, -1]]
    assert widen_table(np.array([[1.0, 2.0]]), 1, -1).tolist() == [[1]]
    assert widen_table(np.float32([[1]]), 2, np.nan)[0] == pytest.approx([1, np.nan], nan_ok=True)
