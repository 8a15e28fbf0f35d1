import numpy as np
import pytest

from edgekd.errors import BadInputError
from edgekd.gate.canary import plan_canary, watch_canary
from edgekd.stats.paired import paired_drop_bound
from edgekd.stats.sequential import Arm, drop_sequence

LOOKS = [5, 10, 20, 40, 60, 90, 130, 180, 250, 350, 500, 700, 1000, 1400, 2000]


@pytest.mark.parametrize(("control", "tested"), [(0.9, 0.9), (0.99, 0.98)])
def test_at_no_look_is_the_true_drop_left_out_more_often_than_said(control, tested):
    """Of 100 streams looked at 15 times, at most 5 % (and its noise) leave it out at any look."""
    rng = np.random.default_rng(0)
    wrong = fixed = 0
    for _ in range(100):
        a, b = rng.random(2000) < control, rng.random(2000) < tested
        is_out = was_fixed_out = False
        for n in LOOKS:
            one, other = Arm(int(a[:n].sum()), n), Arm(int(b[:n].sum()), n)
            seen = drop_sequence(one, other)
            is_out |= not seen.low <= control - tested <= seen.high
            error = 1.96 * np.sqrt((a[:n].var() + b[:n].var()) / n)
            was_fixed_out |= abs(a[:n].mean() - b[:n].mean() - control + tested) > error
        wrong += is_out
        fixed += was_fixed_out
    assert wrong <= 10  # 5 expected at most; 10 is passed by chance once in 80 such runs
    assert fixed > 12  # what a usual interval does when it is looked at that often


def test_ends_and_symmetry():
    assert drop_sequence(Arm(0, 0), Arm(0, 0)).low == -1
    all_lost = drop_sequence(Arm(50, 50), Arm(0, 50))
    assert all_lost.high == 1 and 0.8 < all_lost.low < 1
    there, back = drop_sequence(Arm(90, 100), Arm(40, 70)), drop_sequence(Arm(40, 70), Arm(90, 100))
    assert there.low == pytest.approx(-back.high) and there.high == pytest.approx(-back.low)
    with pytest.raises(BadInputError, match="hits must be 0 to 3"):
        Arm(4, 3)


def test_the_price_of_looking_is_bounded():
    """At 10,000 rows an arm the interval that may always be looked at is 2.6 times as wide as a usual one."""
    seen = drop_sequence(Arm(9_000, 10_000), Arm(9_000, 10_000))
    usual = 1.96 * np.sqrt(2 * 0.09 / 10_000)
    assert 2.4 < (seen.high - seen.low) / 2 / usual < 2.8
    low, high = paired_drop_bound(100, 100, 10_000, 0.975)
    assert high - low < seen.high - seen.low  # pairs of answers to the same rows tell more than two arms


def test_harm_and_success_are_decided_by_slice():
    rng = np.random.default_rng(1)
    ended = {"fine": 0, "harmed": 0}
    for n in range(500, 12_001, 500):
        arms = {
            "fine": (Arm(round(0.9 * n), n), Arm(int((rng.random(n) < 0.9).sum()), n)),
            "harmed": (Arm(round(0.9 * n), n), Arm(int((rng.random(n) < 0.8).sum()), n)),
        }
        for name, watched in watch_canary(arms, margin=0.03).items():
            if watched.decision != "go on" and not ended[name]:
                ended[name] = n
                assert watched.decision == ("stop: success" if name == "fine" else "stop: harm")
    assert 0 < ended["harmed"] <= 4000 and ended["fine"] > 0


def test_a_watched_canary_ends_near_its_plan():
    plan = plan_canary(0.9, 0.8, 10_000, 0.5)
    rng = np.random.default_rng(2)
    ends = []
    for _ in range(40):
        a, b = (np.cumsum(rng.random(3 * plan.rows_watched) < rate) for rate in (0.9, 0.8))
        for n in range(20, len(a), 20):
            if drop_sequence(Arm(int(a[n - 1]), n), Arm(int(b[n - 1]), n)).low > 0:
                ends.append(n)
                break
    assert len(ends) == 40
    assert 0.5 < np.median(ends) / plan.rows_watched < 1.3
