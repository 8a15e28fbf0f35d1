"""Agreement: what flips is listed with how far it led, and the bound is exact."""

import numpy as np
import pytest

from edgekd.errors import DataError
from edgekd.evaluate.agreement import compare_answers
from edgekd.serving.heads import Head

LABELS = Head("classify", ("a", "b", "c"))


def test_flips_are_listed_by_their_margin():
    here = np.array([[3, 1, 0], [1, 0.75, 0], [0, 2, 1.5], [5, 0, 0]], np.float32)
    there = np.array([[3, 1, 0], [0.5, 0.75, 0], [0, 1, 1.5], [5, 0, 0]], np.float32)
    found = compare_answers(here, there, ["r0", "r1", "r2", "r3"], LABELS)
    assert (found.n, found.agreeing) == (4, 2)
    assert [(flip.row, flip.here, flip.there, flip.margin) for flip in found.flips] == [
        ("r2", "b", "c", 0.5),
        ("r1", "a", "b", 0.25),
    ]
    assert found.worst_difference == 1


@pytest.mark.parametrize(("flips", "low"), [(0, 0.997009), (4, 0.99087), (5, 0.989516)])
def test_bound_is_that_of_clopper_and_pearson(flips, low):
    """Figures of scipy.stats.beta.ppf(0.05, 1000 - flips, flips + 1), the textbook form."""
    here = np.tile(np.array([1, 0, 0], np.float32), (1000, 1))
    there = here.copy()
    there[:flips] = (0, 1, 0)
    assert compare_answers(here, there, [""] * 1000, LABELS).low == pytest.approx(low, abs=2e-6)


def test_answers_of_other_rows_are_refused():
    with pytest.raises(DataError, match=r"expected 2 rows of 3 outputs"):
        compare_answers(np.zeros((2, 3), np.float32), np.zeros((1, 3), np.float32), ["a", "b"], LABELS)


def test_labels_are_compared_as_they_are_served():
    """Two machines may agree on the largest logit and answer otherwise with the bias, or the other way."""
    bias = np.array([0, 0, 1.0])
    here = np.array([[3, 0, 2.1], [3, 0, 1], [1, 0.9, 0.5]], np.float32)
    there = np.array([[3, 0, 1.9], [3, 0, 1], [0.9, 1, 0.5]], np.float32)
    rows = ["r0", "r1", "r2"]
    assert [flip.row for flip in compare_answers(here, there, rows, LABELS).flips] == ["r2"]
    found = compare_answers(here, there, rows, LABELS, bias)
    assert found.agreeing == 2
    (flip,) = found.flips
    assert (flip.row, flip.here, flip.there) == ("r0", "c", "a")
    assert flip.margin == pytest.approx(0.1, abs=1e-6)
    assert found.worst_difference == pytest.approx(0.2, abs=1e-6)


def test_scores_flip_where_they_lie_further_apart_than_a_hundredth():
    """Of one column the largest is always the first: that says nothing of an answer."""
    here = np.array([[0.0], [0.0], [8.0], [-1.0]], np.float32)
    there = np.array([[0.03], [0.05], [9.0], [3.0]], np.float32)
    found = compare_answers(here, there, ["r0", "r1", "r2", "r3"], Head("score"))
    assert (found.n, found.agreeing) == (4, 2)
    assert [(flip.row, flip.here, flip.there) for flip in found.flips] == [
        ("r3", "0.269", "0.953"),
        ("r1", "0.500", "0.512"),
    ]
    assert found.flips[1].margin == pytest.approx(0.0125, abs=1e-4)


def test_of_several_places_the_first_one_must_be_the_same():
    here = np.array([[1, 2, np.nan], [3, 2, 1], [2, 2, 0]], np.float32)
    there = np.array([[1.1, 1, np.nan], [3, 1, 2], [2, 2, 0]], np.float32)
    found = compare_answers(here, there, ["a", "b", "c"], Head("rank"))
    (flip,) = found.flips
    assert (flip.row, flip.here, flip.there, flip.margin) == ("a", "place 2", "place 1", 1.0)
    assert (found.agreeing, found.worst_difference) == (2, 1.0)
