import time

import ir_measures
import numpy as np
import pytest
from ir_measures import RR, Qrel, ScoredDoc, nDCG
from scipy.stats import kendalltau

from edgekd.evaluate.rank.alike import is_same_first, kendall_tau
from edgekd.evaluate.rank.values import is_best_first, mrr_at_10, ndcg_at_10, tells_orders_apart

NAN = np.nan


def random_lists(rows=200, width=17, seed=0):
    """Lists of 1 to `width` candidates: grades 0 to 3, some not judged; scores without ties."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, (rows, width)).astype(np.float32)
    truth[rng.random(truth.shape) < 0.6] = 0
    truth[rng.random(truth.shape) < 0.2] = NAN
    scores = rng.permuted(np.tile(np.arange(width, dtype=np.float32), (rows, 1)), axis=1)
    beyond = np.arange(width) >= rng.integers(1, width + 1, rows)[:, None]
    truth[beyond], scores[beyond] = -1, NAN
    return scores, truth


def asked(measure, scores, truth, worth):
    """What ir-measures says of each query, of the judged candidates alone."""
    qrels, run = [], []
    for row, (line, grades) in enumerate(zip(scores, truth, strict=True)):
        for place in np.flatnonzero(grades >= 0):
            qrels.append(Qrel(str(row), str(place), int(worth(grades[place]))))
            run.append(ScoredDoc(str(row), str(place), float(line[place])))
    found = {int(one.query_id): one.value for one in ir_measures.iter_calc([measure], qrels, run)}
    return np.array([found[row] for row in sorted(found)]), np.array(sorted(found))


def test_ndcg_is_that_of_ir_measures_with_the_gain_as_its_grade():
    """Its exponential gain calls perl: its linear one of 2 ** g - 1 is the same."""
    scores, truth = random_lists()
    wanted, rows = asked(nDCG @ 10, scores, truth, lambda grade: 2**grade - 1)
    found = ndcg_at_10(scores, truth)[rows]
    has_relevant = (truth[rows] > 0).any(1)
    assert has_relevant.sum() > 150 and np.isnan(found[~has_relevant]).all()
    assert found[has_relevant] == pytest.approx(wanted[has_relevant], abs=1e-6)


def test_with_two_grades_the_gain_is_the_linear_one():
    scores, truth = random_lists(seed=1)
    truth = np.where(truth > 0, 1, truth)
    wanted, rows = asked(nDCG @ 10, scores, truth, int)
    has_relevant = (truth[rows] > 0).any(1)
    assert ndcg_at_10(scores, truth)[rows][has_relevant] == pytest.approx(wanted[has_relevant], abs=1e-6)


def test_mrr_is_that_of_ir_measures():
    scores, truth = random_lists(seed=2)
    wanted, rows = asked(RR @ 10, scores, truth, int)
    assert mrr_at_10(scores, truth)[rows] == pytest.approx(wanted, abs=1e-6)


def test_the_worked_figures(golden):
    figures = golden["reranker"]
    grades = np.array([list(figures["relevance"].values())], float)
    for whose in ("teacher", "student"):
        scores = np.array([list(figures[f"{whose}_scores"].values())])
        assert ndcg_at_10(scores, grades)[0] == pytest.approx(
            figures[f"{whose}_ndcg_at_4_exponential_gain"], abs=5e-5
        )
        linear = ndcg_at_10(scores, np.log2(1 + grades))[0]  # 2 ** log2(1 + g) - 1 is g
        assert linear == pytest.approx(figures[f"{whose}_ndcg_at_4_linear_gain"], abs=5e-5)
        assert is_best_first(scores, grades)[0] == (whose == "teacher")


@pytest.mark.parametrize(
    ("scores", "truth", "ndcg", "first", "mrr"),
    [
        ([3, 2, 1], [1, 0, 0], 1.0, True, 1.0),
        ([1, 2, 3], [1, 0, 0], 0.5, False, 1 / 3),
        ([1, 1, 1], [0, 1, 0], 1 / np.log2(3), False, 1 / 2),  # a tie: as they came in
        ([1, 2, 3], [1, 0, NAN], 1 / np.log2(3), False, 1 / 2),  # the first by score is not judged
        ([1, 2, NAN], [2, 0, -1], 1 / np.log2(3), False, 1 / 2),
        ([2, 1, 3], [0, 0, 0], NAN, True, 0.0),
        ([3, 2, 1], [1, 3, 3], (1 + 7 / np.log2(3) + 7 / 2) / (7 + 7 / np.log2(3) + 1 / 2), False, 1.0),
    ],
)
def test_cases_worked_by_hand(scores, truth, ndcg, first, mrr):
    table, grades = np.array([scores], np.float32), np.array([truth], np.float32)
    assert ndcg_at_10(table, grades)[0] == pytest.approx(ndcg, nan_ok=True)
    assert is_best_first(table, grades)[0] == first
    assert mrr_at_10(table, grades)[0] == pytest.approx(mrr)


def test_only_ten_places_count():
    truth = np.zeros((2, 12))
    truth[0, 9] = truth[1, 10] = 1
    scores = -np.arange(12.0)[None].repeat(2, 0)
    assert ndcg_at_10(scores, truth) == pytest.approx([1 / np.log2(11), 0])
    assert mrr_at_10(scores, truth) == pytest.approx([0.1, 0])


def test_rows_that_say_nothing_of_an_order():
    truth = np.array([[0, 0, -1], [1, NAN, -1], [2, 2, 2], [NAN, NAN, NAN], [1, 0, NAN], [3, 2, -1]])
    assert tells_orders_apart(truth).tolist() == [False, False, False, False, True, True]


def test_scores_of_another_width_are_of_the_same_candidates():
    truth = np.array([[0.0, 1, -1, -1]])
    for scores in ([[1.0, 2.0]], [[1.0, 2.0, NAN, NAN, NAN, NAN]]):
        assert ndcg_at_10(np.array(scores), truth).tolist() == [1.0]


def test_orders_alike_are_as_scipy_says():
    rng = np.random.default_rng(3)
    one, other = rng.integers(0, 6, (2, 40, 12)).astype(np.float32)
    short = np.arange(12) >= rng.integers(2, 13, 40)[:, None]
    one[short] = other[short] = NAN
    wanted = [kendalltau(a[~np.isnan(a)], b[~np.isnan(b)]).statistic for a, b in zip(one, other, strict=True)]
    assert kendall_tau(one, other) == pytest.approx(wanted, abs=1e-6, nan_ok=True)
    assert is_same_first(np.array([[1, 1, NAN]]), np.array([[2, 1, NAN]])).tolist() == [True]
    assert is_same_first(np.array([[-1, -2, NAN]]), np.array([[-2, -1, NAN]])).tolist() == [False]


def test_many_rows_are_valued_in_well_under_a_second():
    scores, truth = random_lists(20_000, 50)
    started = time.process_time()
    for value in (ndcg_at_10, is_best_first, mrr_at_10):
        value(scores, truth)
    assert time.process_time() - started < 1.5
