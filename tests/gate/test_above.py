"""A floor that comes with the rows: what a model must better to be worth anything."""

import numpy as np
import pytest

from edgekd.config import Slice
from edgekd.errors import SliceError
from edgekd.evaluate.drop import paired_drop
from edgekd.evaluate.judge import evaluate
from edgekd.evaluate.predictions import Predictions
from edgekd.evaluate.rank.scorer import RANK_SCORER
from edgekd.evaluate.result import Above, SliceResult
from edgekd.evaluate.scorer import JudgedRows
from edgekd.gate.above import check_above
from edgekd.gate.binding import bind_check
from edgekd.gate.check import combine
from edgekd.gate.checks import check_slices
from edgekd.stats.bounded import BoundedMean
from edgekd.stats.interval import Interval

INCOMING = Above("incoming", "the order that came in")


def result(gains, tier="prove", above=INCOMING, hits=False):
    """A slice whose rows gain so much over what came in."""
    gains = np.asarray(gains, float)
    came_in = np.full(len(gains), 0.5)
    own = came_in + gains
    if hits:
        came_in, own = gains < 0, gains > 0
    drop = paired_drop("incoming", came_in, own)
    mean = float(own.mean())
    value = Interval(mean, mean, mean, 0.95)
    return SliceResult("all", tier, "NDCG@10", None, len(gains), value, (drop,), above=(above,))


def test_a_gain_that_is_proven_passes_and_is_said_in_words():
    check = check_above(result([0.1, 0.15] * 100), INCOMING)
    assert check.status == "pass" and check.name == "above-incoming all" and check.slice == "all"
    assert check.found.startswith("beats the order that came in by 12.5 points, at least 10.8")
    assert check.limit == "above the order that came in" and check.is_of_quality


def test_no_gain_and_a_proven_loss_fail_however_good_the_value_is():
    check = check_above(result([-0.1, -0.2] * 100), INCOMING)
    assert check.status == "fail" and "15 points below the order that came in" in check.found
    assert check_above(result([-0.1, -0.2] * 100, "watch"), INCOMING).status == "fail"


def test_what_is_not_proven_says_how_many_rows_would():
    few = result([0.4, -0.3, 0.2, -0.1] * 5)
    check = check_above(few, INCOMING)
    assert check.status == "inconclusive" and "more rows would prove it" in check.reason
    bound = bind_check("v", check, few, 1)
    assert bound.rows_needed > 20 and bound.is_gain and "needs" in bound.short
    enough = result([0.4, -0.3, 0.2, -0.1] * (bound.rows_needed // 4 + 1))
    assert check_above(enough, INCOMING).status == "pass"
    assert check_above(result([0.1] * 3 + [-0.1] * 4, "watch"), INCOMING).status == "warning"
    assert check_above(result([0.1] * 4 + [-0.1] * 3, "watch"), INCOMING).status == "pass"
    worse = check_above(result([0.1] * 3 + [-0.1] * 4), INCOMING)
    assert worse.status == "inconclusive" and "more rows would not help" in worse.reason


def test_more_can_be_asked_than_to_be_above():
    gains = [0.1, 0.15] * 100
    for points, status in ((10, "pass"), (12.5, "inconclusive"), (14, "fail"), (-5, "pass")):
        above = Above("incoming", "the order that came in", points / 100)
        assert check_above(result(gains, above=above), above).status == status
    assert check_above(result(gains, above=above), above).limit.endswith("by -5 points")


@pytest.mark.parametrize(("right", "status"), [(60, "pass"), (8, "inconclusive"), (0, "fail")])
def test_hits_are_paired_too(right, status):
    gains = [1] * right + [-1] * (6 if right else 30) + [0] * 300
    found = result(gains, hits=True)
    assert found.drops[0].differences is None
    assert check_above(found, INCOMING).status == status


def test_without_rows_or_without_the_baseline():
    empty = SliceResult("all", "prove", "NDCG@10", None, 0, None, (), above=(INCOMING,))
    assert check_above(empty, INCOMING).status == "inconclusive"
    value = Interval(0.5, 0.4, 0.6, 0.95)
    blind = SliceResult(
        "all", "prove", "NDCG@10", None, 9, value, (), tally=BoundedMean.of(np.ones(9)), above=(INCOMING,)
    )
    assert check_above(blind, INCOMING).status == "not measured"
    assert combine(check_slices([blind])) == "not measured"


def test_the_swap_of_the_worked_example_is_refused_by_gates_that_say_so(golden):
    """Scores nearly the teacher's, and another result on top: its error of 0.001 says nothing of that."""
    figures = golden["reranker"]
    tables = {
        whose: np.tile(list(figures[f"{whose}_scores"].values()), (200, 1))
        for whose in ("teacher", "student")
    }
    assert np.square(tables["teacher"] - tables["student"]).mean() == pytest.approx(figures["score_mse"])
    truth = np.tile([float(grade) for grade in figures["relevance"].values()], (200, 1))
    slices = (
        Slice(name="overall", tier="prove", margin=3),
        Slice(name="first", metric="top1", tier="prove", margin=3),
    )
    masks = {"overall": np.ones(200, bool), "first": np.ones(200, bool)}
    rows = JudgedRows(truth, ("score",), slices, masks)
    judged = evaluate(
        Predictions("s", tables["student"]),
        {"teacher": Predictions("t", tables["teacher"])},
        rows,
        RANK_SCORER,
    )
    checks = {check.name: check for check in check_slices(judged.slices)}
    assert set(checks) == {
        "quality overall", "above-incoming overall", "quality first", "above-incoming first",
    }  # fmt: skip
    assert {check.status for check in checks.values()} == {"fail"}
    assert (
        "drop +15.72 points" in checks["quality overall"].found
        and "proven harm" in checks["quality overall"].reason
    )
    assert "drop +100.00 points" in checks["quality first"].found
    assert "below the order that came in" in checks["above-incoming first"].found


def test_a_task_without_baselines_says_so():
    slices = (Slice(name="overall", margin=3, above={"incoming": 0}),)
    rows = JudgedRows(np.array([0, 1]), ("a", "b"), slices, {"overall": np.ones(2, bool)})
    with pytest.raises(SliceError, match="above: this task has no baseline"):
        evaluate(Predictions("s", np.eye(2)), {}, rows)
