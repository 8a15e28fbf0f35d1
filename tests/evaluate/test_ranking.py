import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from edgekd.errors import DataError
from edgekd.evaluate.ranking import ndcg

CANDIDATES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=2, max_size=8)


@given(candidates=CANDIDATES, at=st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_as_scikit_learn_does_ties_too(candidates, at):
    grades, scores = (np.array(part) for part in zip(*candidates, strict=True))
    found = ndcg(grades, scores.astype(float), at=at, gain="linear")
    if grades.max() == 0:
        assert math.isnan(found)
        return
    assert found == pytest.approx(ndcg_score(grades[None], scores[None], k=at))
    exponential = ndcg(grades, scores.astype(float), at=at, gain="exponential")
    assert exponential == pytest.approx(ndcg_score(2.0 ** grades[None] - 1, scores[None], k=at))


def test_ties_earn_nothing_from_the_order_of_the_input():
    grades, same = np.array([3, 2, 1]), np.zeros(3)
    found = [ndcg(g, same, at=3, gain="linear") for g in (grades, grades[::-1].copy())]
    assert found[0] == pytest.approx(found[1]) and found[0] < 1


def test_the_best_order_is_one():
    grades = np.array([0, 3, 1, 2])
    for gain in ("linear", "exponential"):
        assert ndcg(grades, grades.astype(float), at=2, gain=gain) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("grades", "scores", "at"), [([1, 0], [0.1, 0.2], 0), ([1, -1], [0.1, 0.2], 2), ([1], [0.1, 0.2], 2)]
)
def test_what_cannot_be_ranked(grades, scores, at):
    with pytest.raises(DataError, match="ndcg: expected grades of 0 and more"):
        ndcg(np.array(grades), np.array(scores), at=at, gain="linear")
