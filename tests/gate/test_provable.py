import numpy as np
import pytest

from edgekd.gate.provable import (
    TYPICAL,
    prove_ceiling,
    prove_floor,
    prove_gain,
    prove_margin,
    prove_mean_floor,
    prove_mean_margin,
)
from edgekd.stats.paired import paired_drop_bound
from edgekd.stats.paired_power import chance_to_pass
from edgekd.stats.proportion import exact_upper_bound


def margin(rows, points):
    return prove_margin("s", "", rows, points / 100, TYPICAL.lost, TYPICAL.gained)


def test_forty_nine_rows_at_margin_three_are_out_of_reach():
    proof = margin(49, 3)
    assert proof.status == "out of reach" and "49 rows prove a drop of at most 6.3 points" in proof.reason
    assert (
        paired_drop_bound(0, 0, proof.rows_at_best)[1]
        <= 0.03
        < paired_drop_bound(0, 0, proof.rows_at_best - 1)[1]
    )
    assert chance_to_pass(proof.rows_needed, TYPICAL.lost, TYPICAL.gained, 0.03) >= 0.9


@pytest.mark.parametrize(
    ("rows", "points", "status"),
    [(0, 3, "impossible"), (1, 90, "impossible"), (110, 3, "uncertain"), (5000, 3, "provable")],
)
def test_what_rows_prove_of_a_margin(rows, points, status):
    proof = margin(rows, points)
    assert proof.status == status
    assert (proof.chance >= 0.9) == (status == "provable")


def test_a_floor_that_not_even_all_hits_prove_is_impossible():
    proof = prove_floor("s", "c", 58, 0.95, 1.0)
    assert proof.status == "impossible" and proof.rows_at_best == 59 and "all of them right" in proof.reason
    assert 1 - exact_upper_bound(0, 58) < 0.95 <= 1 - exact_upper_bound(0, 59)
    assert prove_floor("s", "c", 59, 0.95, 1.0).status == "provable"
    assert prove_floor("s", "c", 0, 0.95, 1.0).status == "impossible"


def test_a_floor_names_the_value_that_its_rows_prove():
    proof = prove_floor("s", "", 400, 0.9, 0.909)
    assert proof.status == "uncertain" and 0.9 < proof.value_needed < 0.95
    assert prove_floor("s", "", 400, 0.9, proof.value_needed + 1e-9).status == "provable"
    assert prove_floor("s", "", 400, 0.95, 0.909).rows_needed is None


def test_a_ceiling_is_judged_by_the_exact_upper_bound():
    assert prove_ceiling("s", "", 298, 0.01, 0.0).status == "impossible"  # 299 rows without one: 0.997 %
    assert exact_upper_bound(0, 298) > 0.01 >= exact_upper_bound(0, 299)
    assert prove_ceiling("s", "", 299, 0.01, 0.0).status == "provable"
    proof = prove_ceiling("s", "", 4500, 0.01, 0.005)
    alarms = np.random.default_rng(0).binomial(4500, 0.005, 5000)
    proven = np.mean([exact_upper_bound(int(count), 4500) <= 0.01 for count in alarms])
    assert proof.chance == pytest.approx(proven, abs=0.02)


def test_how_many_queries_a_margin_of_values_needs():
    few, some, many = (prove_mean_margin("s", "", rows, 0.03, TYPICAL.spread) for rows in (49, 120, 400))
    assert (few.status, some.status, many.status) == ("out of reach", "uncertain", "provable")
    assert "49 rows prove a drop of at most" in few.reason
    assert few.rows_at_best == 99 and few.rows_needed == 165
    assert few.chance < some.chance < 0.9 <= many.chance
    assert prove_mean_margin("s", "", 0, 0.03, 0.1).status == "impossible"
    assert prove_mean_margin("s", "", 165, 0.03, 0.1).status == "provable"


def test_a_floor_of_values_is_impossible_or_not_known():
    assert prove_mean_floor("s", "", 30, 0.95).status == "impossible"
    assert prove_mean_floor("s", "", 0, 0.95).reason == "no row to prove it on"
    found = prove_mean_floor("s", "", 300, 0.95)
    assert (found.status, found.chance) == ("uncertain", None)


def test_which_gain_over_a_baseline_rows_prove():
    found = prove_gain("s", "the order that came in", 400, 0.0, TYPICAL.far)
    assert found.status == "uncertain" and 0.03 < found.value_needed < 0.05
    assert prove_gain("s", "the order that came in", 2, 0.0, TYPICAL.far).status == "out of reach"
