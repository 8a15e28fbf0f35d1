from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekd.evaluate.drop import paired_drop
from edgekd.evaluate.result import SliceResult
from edgekd.gate.binding import bind_check
from edgekd.gate.checks import (
    check_artifact_mib,
    check_p95_ms,
    check_peak_rss_mib,
    check_proven,
    check_slices,
    check_watched,
)
from edgekd.stats.interval import Interval
from edgekd.stats.paired import paired_drop_bound
from edgekd.stats.proportion import wilson_interval
from edgekd.stats.tally import Tally


@pytest.mark.parametrize(
    ("lost", "gained", "n", "tier", "status", "reason"),
    [
        (40, 30, 4000, "prove", "pass", r"95 % bound \+0.62 points is within"),
        (200, 10, 4000, "prove", "fail", r"proven harm: even the 95 % lower bound"),
        (65, 15, 4000, "prove", "inconclusive", r"^95 % bound .* exceeds the margin; about [\d,]+ more rows"),
        (0, 0, 60, "prove", "inconclusive", r"about \d+ more rows would prove it at this rate"),
        (70, 5, 4000, "prove", "inconclusive", r"drop itself exceeds the margin.*prove a margin of \+\d"),
        (60, 0, 4000, "prove", "inconclusive", r"too near the margin for any number of rows"),
        (70, 5, 4000, "watch", "warning", r"exceeds the margin, but with 4,000 rows that is not proven"),
        (200, 10, 4000, "watch", "fail", r"proven harm"),
        (0, 0, 5, "watch", "pass", r"no harm"),
        (0, 0, 0, "prove", "inconclusive", r"no test row is in this slice"),
        (0, 0, 0, "watch", "pass", r"no test row"),
    ],
)
def test_the_two_tiers(make, lost, gained, n, tier, status, reason):
    (check,) = check_slices([make.slice(lost, gained, n, tier=tier)])
    assert check.status == status
    assert re.search(reason, check.reason)
    assert (check.name, check.limit) == ("quality overall", "+1.50 points")


@pytest.mark.parametrize(
    ("loss", "tier", "status", "reason"),
    [
        (0.0, "prove", "pass", r"95 % bound \+0\.\d\d points is within"),
        (0.05, "prove", "inconclusive", r"about [\d,]+ more rows would prove it at this rate"),
        (0.5, "prove", "fail", r"proven harm: even the 95 % lower bound"),
        (0.5, "watch", "fail", r"proven harm"),
        (0.07, "watch", "warning", r"with 400 rows that is not proven"),
    ],
)
def test_values_are_judged_as_hits_are(loss, tier, status, reason):
    wanted = np.full(400, 0.8)
    got = wanted - np.tile([loss, 0.0, 0.05, -0.05], 100)
    drop = paired_drop("teacher", wanted, got)
    result = SliceResult("s", tier, "accuracy", 0.0151, 400, Interval(0.5, 0.4, 0.6, 0.95), (drop,))
    (check,) = check_slices([result])
    assert check.status == status
    assert re.search(reason, check.reason)
    binding = bind_check("v", check, result, 1)
    assert binding.provable == pytest.approx(drop.high if tier == "prove" else drop.low, abs=1e-4)
    if status == "inconclusive":
        assert binding.rows_needed == 400 + drop.rows_needed(0.0151)


def test_rows_that_would_decide_do(make):
    check = check_proven(make.slice(65, 15, 4000))
    more = int(re.search(r"about ([\d,]+) more", check.reason)[1].replace(",", ""))
    times = (4000 + more) / 4000
    assert check_proven(make.slice(round(65 * times), round(15 * times), 4001 + more)).status == "pass"


def test_a_missing_reference_is_not_measured(make):
    entry = make.slice()
    assert check_proven(entry, "fp32").status == "not measured"
    assert check_watched(entry, "fp32").status == "not measured"
    assert "fp32" in check_watched(entry, "fp32").reason


@given(st.integers(1, 2000), st.data())
def test_proof_and_harm_exclude_one_another(n, data):
    from edgekd.evaluate.result import Drop

    lost = data.draw(st.integers(0, n))
    gained = data.draw(st.integers(0, n - lost))
    drop = Drop("teacher", n, lost, gained, (lost - gained) / n, *paired_drop_bound(lost, gained, n), 0.95)
    entry = SliceResult("s", "prove", "accuracy", 0.03, n, Interval(0.5, 0.4, 0.6, 0.95), (drop,))
    proven, watched = check_proven(entry), check_watched(entry)
    assert (proven.status == "fail") == (watched.status == "fail")
    if proven.status == "pass":
        assert drop.estimate <= 0.03


def test_a_candidate_at_the_margin_passes_in_one_of_twenty_draws(make):
    draws = np.random.default_rng(11).multinomial(4000, [0.025, 0.01, 0.965], 2000)
    distinct, times = np.unique(draws[:, :2], axis=0, return_counts=True)
    passed = [check_proven(make.slice(int(a), int(b), 4000)).status == "pass" for a, b in distinct]
    assert 60 <= times[passed].sum() <= 116


@pytest.mark.parametrize(
    ("low", "high", "status"), [(18, 20, "pass"), (19, 20.01, "inconclusive"), (20.01, 22, "fail")]
)
def test_latency_reads_the_upper_end(low, high, status):
    check = check_p95_ms(Interval((low + high) / 2, low, high, 0.95), 20)
    assert check.status == status
    assert check.limit == "20.0 ms"


def test_an_inconclusive_latency_says_on_which_side_it_lies():
    assert "estimate is within" in check_p95_ms(Interval(19, 18, 21, 0.95), 20).reason
    assert "estimate is above" in check_p95_ms(Interval(20.5, 18, 21, 0.95), 20).reason


def test_sizes_and_what_was_not_measured():
    assert check_artifact_mib(25 * 2**20, 25).status == "pass"
    check = check_artifact_mib(25 * 2**20 + 2048, 25)
    assert (check.status, check.reason) == ("fail", "2.0 KiB too much")
    assert check_artifact_mib(25 * 2**20 + 2048, 25, "fp32").status == "not eligible"
    assert check_artifact_mib(25 * 2**20, 25, "fp32").status == "pass"
    check = check_peak_rss_mib(None, 256, "the process was killed")
    assert (check.status, check.reason) == ("not measured", "the process was killed")
    assert check_p95_ms(None, 20).status == "not measured"


def test_watched_slices_share_the_five_percent(make):
    harmed = make.slice(105, 40, 2000, tier="watch")  # 3.25 points of 1.5: proven if it were the only one
    assert check_watched(harmed).status == "fail"
    assert check_watched(harmed, of=50).status == "warning"
    names = [make.slice(105, 40, 2000, tier="watch", name=f"s{i}") for i in range(50)]
    assert {check.status for check in check_slices(names)} == {"warning"}
    assert check_slices([harmed])[0].status == "fail"


def test_claims_of_harm_are_shared_by_both_tiers_and_proofs_are_not(make):
    harmed, fine = make.slice(105, 40, 2000, name="harmed"), make.slice(40, 30, 4000, name="fine")
    assert check_slices([harmed])[0].status == "fail"
    others = [make.slice(tier="watch", name=f"s{i}") for i in range(49)]
    of_harm, of_proof, *_ = check_slices([harmed, fine, *others])
    assert (of_harm.status, of_proof.status) == ("inconclusive", "pass")
    assert "bound +0.62 points" in of_proof.reason


def judged(hits, n, *, tier="prove", at_least=0.93, at_most=None, drops=()):
    metric = "recall" if at_most is None else "false_alarm"
    right = hits if at_most is None else n - hits
    tally = Tally(right, n - right, right, n - right)
    value = wilson_interval(hits, n)
    least = at_least if at_most is None else None
    return SliceResult("s", tier, metric, None, n, value, drops, least, at_most, tally)


@pytest.mark.parametrize(
    ("entry", "status", "reason"),
    [
        (judged(968, 1000), "pass", "one-sided 95 % bound keeps"),
        (judged(935, 1000), "inconclusive", r"at this value [\d,]+ rows would prove it, of 1,000 here"),
        (judged(920, 1000), "inconclusive", "value itself misses the limit; more rows would not help"),
        (judged(800, 1000), "fail", "missed for certain"),
        (judged(920, 1000, tier="watch"), "warning", "no miss is proven"),
        (judged(935, 1000, tier="watch"), "pass", "no miss is proven"),
        (judged(5, 2000, at_most=0.01), "pass", "keeps the limit"),
        (judged(18, 2000, at_most=0.01), "inconclusive", "bound misses"),
        (judged(60, 2000, at_most=0.01), "fail", "missed for certain"),
    ],
)
def test_floors_and_limits_of_false_alarms(entry, status, reason):
    (check,) = check_slices([entry])
    assert (check.name, check.status) == ("floor s", status)
    assert re.search(reason, check.reason)


def test_a_floor_says_that_the_teacher_misses_it_too(make):
    drop = make.drop(30, 10, 1000)  # the teacher is right 20 times more often
    (check,) = check_slices([judged(800, 1000, drops=(drop,))])
    assert "the teacher itself misses it with 82.0 %" in check.reason


def test_a_floor_at_the_truth_passes_in_at_most_one_of_twenty_draws():
    draws = np.random.default_rng(5).binomial(1800, 0.93, 20_000)
    hits, times = np.unique(draws, return_counts=True)
    passed = [check_slices([judged(int(k), 1800)])[0].status == "pass" for k in hits]
    assert 600 <= times[passed].sum() <= 1000
